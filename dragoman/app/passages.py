"""Pieces of documents on their way into an answer: numbered as they are cited, and shown as a model reads them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dragoman.core.documents import Chunk, Hit

__all__ = ["BRACKETED", "Citation", "Find", "Passage", "named", "numbered", "said", "shown", "sources_of"]

BRACKETED = re.compile(r"\[(\s*\d+(?:\s*[,;\N{EN DASH}-]\s*\d+)*\s*)\]")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece that was found for a question. It is cited by its number, which is counted from 1."""

    chunk: Chunk
    score: float
    number: int
    dense: float | None = None
    "its cosine with the question, where that was looked at"


@dataclass(frozen=True, slots=True)
class Citation:
    """What an answer takes from a passage: `chunk.text[start:end]` of the passage of this number, or all of it."""

    number: int
    start: int = 0
    end: int = 0
    "0 where the passage as a whole is meant"


class Find(Protocol):
    """What finds the pieces that a question needs."""

    def __call__(self, question: str, k: int, access: frozenset[str]) -> list[Hit]:
        """The best `k` pieces that who asks may see, the best first; fewer where there are no more."""
        ...


def numbered(hits: Sequence[Hit]) -> tuple[Passage, ...]:
    """The hits in their order, numbered from 1; a piece that stands there twice counts once."""
    found: dict[tuple[str, int, int], Hit] = {}
    for hit in hits:
        found.setdefault((hit.chunk.source, hit.chunk.start, hit.chunk.end), hit)
    return tuple(Passage(hit.chunk, hit.score, number, hit.dense) for number, hit in enumerate(found.values(), 1))


def named(chunk: Chunk) -> str:
    """Where a piece stands, for people: `manual.pdf, page 3` or `tour.md: Tour > Wheels`."""
    if chunk.page:
        return f"{chunk.source}, page {chunk.page}"
    return f"{chunk.source}: {' > '.join(chunk.path)}" if chunk.path else chunk.source


def sources_of(passages: Sequence[Passage]) -> tuple[str, ...]:
    """The sources of passages, each once, in their order."""
    return tuple(dict.fromkeys(passage.chunk.source for passage in passages))


def said(text: str) -> str:
    """A document's text without what reads as a citation of ours: its own `[4]` becomes `(4)`, of the same length."""
    return BRACKETED.sub(r"(\1)", text)


def shown(passages: Sequence[Passage]) -> str:
    """The passages as a model reads them: number and place, then the text."""
    return "\n\n".join(
        f"[{passage.number}] {said(named(passage.chunk))}\n{said(passage.chunk.text).strip()}" for passage in passages
    )
