"""Documents for the tests of stores: sources with pieces and vectors that depend on nothing but their names."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dragoman.core.documents import Batch, Chunk, Value

__all__ = ["WIDTH", "Embedding", "batch", "embed", "piece", "removal"]

WIDTH = 8


def embed(texts: Sequence[str], width: int = WIDTH) -> NDArray[np.float32]:
    """A unit vector for each text, the same for the same text, of shape [texts, width]."""
    seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") for text in texts]
    drawn = np.array([np.random.default_rng(seed).normal(size=width) for seed in seeds]).reshape(len(texts), width)
    found: NDArray[np.float32] = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return found


class Embedding:
    """An embedder that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of `embed`."""
        self.asked.append(list(texts))
        return embed(texts)


def piece(
    source: str,
    number: int,
    text: str,
    meta: Mapping[str, Value] | None = None,
    access: Sequence[str] = (),
    parent: int = -1,
    is_parent: bool = False,
) -> Chunk:
    """A piece of a source."""
    given = dict(meta or {})
    return Chunk(source, number, 0, len(text), text, ("Title",), 1, parent, is_parent, given, frozenset(access))


def batch(
    source: str,
    texts: Sequence[str],
    version: str = "1",
    meta: Mapping[str, Value] | None = None,
    access: Sequence[str] = (),
    vectors: bool = True,
) -> Batch:
    """A version of a source with a piece for each text."""
    pieces = tuple(piece(source, number, text, meta, access) for number, text in enumerate(texts))
    rows = embed([one.embedded for one in pieces]) if vectors else None
    return Batch(source, version, "Title", pieces, rows, ("page 2 holds no text: it is a scan",), meta or {})


def removal(source: str) -> Batch:
    """What removes a source."""
    return Batch(source, "")
