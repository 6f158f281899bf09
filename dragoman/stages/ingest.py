"""Brings documents into an index: read, cut, embedded where they are new, and put in whole, one source after another.

Killed at any instant, the index holds whole sources, and the same command goes on: what has not changed is neither cut
nor embedded again. A source that is there no more is taken out.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from dragoman.core.documents import Batch, Chunk, Document
from dragoman.core.errors import UserError
from dragoman.core.show import Tick, silent
from dragoman.data.chunk import cut
from dragoman.data.documents.read import Unread, read_documents
from dragoman.rag.stores.open import HoldsSpaces
from dragoman.stages.shelf import Facts, Shelf

__all__ = ["Ingested", "Line", "ingest", "moved", "versions"]

TOGETHER = 512
"pieces that are embedded together: texts of like length share a batch, and of few there are few of like length"


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one source."""

    source: str
    pages: int = 0
    characters: int = 0
    pieces: int = 0
    state: str = "unchanged"
    "new, changed, unchanged or not read"
    problems: tuple[str, ...] = ()


@dataclass
class Ingested:
    """What became of all."""

    lines: list[Line] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    embedded: int = 0
    "texts that were embedded"
    known: int = 0
    "pieces whose text had a vector already"

    @property
    def unread(self) -> list[Line]:
        """The sources that could not be read."""
        return [line for line in self.lines if line.state == "not read"]


def ingest(shelf: Shelf, tick: Tick = silent) -> Ingested:
    """Make the index hold what its places hold now. Raises UserError where a place is not there."""
    done, held = Ingested(), shelf.store.sources()
    cutting = shelf.facts.cutting(shelf.embedder)
    waiting: list[tuple[Document, Batch, str]] = []
    seen: set[str] = set()

    def put() -> None:
        _put(shelf, waiting, done)
        waiting.clear()
        count = sum(line.pieces for line in done.lines)
        tick(0.5, f"{len(done.lines):,} documents, {count:,} pieces")

    for one in _read_places(shelf.facts.places):
        if one.source in seen:
            continue
        seen.add(one.source)
        if isinstance(one, Unread):
            done.lines.append(Line(one.source, state="not read", problems=(f"{one.problem}; {one.hint}",)))
            continue
        version = _version(one, shelf.facts)
        line = Line(one.source, one.pages, len(one.text), problems=one.problems)
        if held.get(one.source) == version:
            done.lines.append(line)
            continue
        chunks = cut(one, cutting)
        batch = Batch(one.source, version, one.title, chunks, problems=one.problems, meta=one.meta)
        waiting.append((one, batch, "changed" if one.source in held else "new"))
        if sum(len(batch.chunks) for _, batch, _ in waiting) >= TOGETHER:
            put()
    put()
    # A source that cannot be read now may be read again: what is known of it stays.
    for source in held.keys() - seen:
        shelf.store.apply(Batch(source, ""))
        done.removed.append(source)
    return done


def _read_places(places: Sequence[str]) -> Iterator[Document | Unread]:
    """Every document of several places; where there are several, its name begins with its place's."""
    for place in places:
        for one in read_documents(place):
            yield one if len(places) == 1 else replace(one, source=f"{Path(place).name}/{one.source}")


def versions(facts: Facts) -> dict[str, str]:
    """The version that each source has now, as it would be put into the index; what cannot be read is left out."""
    return {one.source: _version(one, facts) for one in _read_places(facts.places) if isinstance(one, Document)}


def moved(shelf: Shelf, name: str, tick: Tick = silent) -> int:
    """Embed every text of the index with another model beside the space that is searched, then search that one.

    How many texts were embedded. Killed, the same call goes on; the old space is searched until the new one is whole.
    Raises UserError where the store holds one space alone.
    """
    assert shelf.embedder is not None
    store, count = shelf.store, 0
    if not isinstance(store, HoldsSpaces):
        raise UserError(
            "an index in a database keeps the embedder it was made with",
            "make another one, in another collection, table or folder: index=",
        )
    width = shelf.embedder.embed(["width"]).shape[1]
    store.begin_space(name, width)
    while texts := store.missing(name, TOGETHER):
        store.put_vectors(name, dict(zip(texts, shelf.embedder.embed(texts), strict=True)))
        count += len(texts)
        tick(0.2, f"{count:,} texts embedded anew")
    store.switch(name)
    return count


def _version(document: Document, facts: Facts) -> str:
    """What a source is known by: its text and all that is kept of it, and how it is cut."""
    how = (document.version, facts.tokens, facts.overlap, facts.parents)
    return hashlib.sha256(repr(how).encode()).hexdigest()


def _put(shelf: Shelf, waiting: Sequence[tuple[Document, Batch, str]], done: Ingested) -> None:
    """Embed the texts of some sources that are not known yet, and put the sources in."""
    vectors = _vectors(shelf, [chunk for _, batch, _ in waiting for chunk in batch.chunks], done)
    for document, batch, state in waiting:
        searched = [chunk for chunk in batch.chunks if not chunk.is_parent]
        made = np.stack([vectors[chunk.embedded] for chunk in searched]) if vectors and searched else None
        shelf.store.apply(replace(batch, vectors=made))
        line = Line(document.source, document.pages, len(document.text), len(batch.chunks), state, document.problems)
        done.lines.append(line)


def _vectors(shelf: Shelf, chunks: Sequence[Chunk], done: Ingested) -> dict[str, Any]:
    """The vector of every text that is searched; those that are held are not made again."""
    if shelf.embedder is None or not chunks:
        return {}
    searched = [chunk.embedded for chunk in chunks if not chunk.is_parent]
    texts = list(dict.fromkeys(searched))
    found: dict[str, Any] = dict(shelf.store.vectors_of(texts))
    new = [text for text in texts if text not in found]
    done.embedded += len(new)
    done.known += len(searched) - len(new)
    if new:
        found |= dict(zip(new, shelf.embedder.embed(new), strict=True))
    return found
