"""Passages and a finder of them for tests."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from dragoman.app.passages import Passage
from dragoman.core.documents import Chunk, Hit

__all__ = ["Shelf", "passage", "piece"]


def piece(text: str, source: str = "a.md", number: int = 0, page: int = 0, path: tuple[str, ...] = ()) -> Chunk:
    """A piece of a document whose text is this."""
    return Chunk(source, number, 0, len(text), text, path, page)


def passage(text: str, number: int = 1, source: str = "a.md", score: float = 1.0) -> Passage:
    """A passage whose text is this."""
    return Passage(piece(text, source), score, number)


@dataclass(frozen=True)
class Shelf:
    """Finds the pieces that share most words with a question."""

    pieces: Sequence[Chunk]
    asked: list[tuple[str, int, frozenset[str]]] = field(default_factory=list)

    def find(self, question: str, k: int, access: frozenset[str]) -> list[Hit]:
        """The best `k`, of those with a word of it."""
        self.asked.append((question, k, access))
        own = set(question.lower().split())
        hits = [Hit(one, float(len(own & set(one.text.lower().split())))) for one in self.pieces]
        return sorted((hit for hit in hits if hit.score > 0), key=lambda hit: -hit.score)[:k]
