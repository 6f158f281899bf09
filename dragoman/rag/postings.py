"""Which text holds which term how often, in arrays that grow: the numbers under BM25.

Texts are rows, counted from 0 in the order they come, and never renumbered. New ones wait in short segments that are
merged when there are many, so that adding a text costs what it holds and not what is there already.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Postings"]

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]
SEGMENTS = 8  # are merged when they are more


class _Segment:
    """Postings sorted by term: those of term t are `rows[starts[t]:starts[t + 1]]`."""

    def __init__(self, terms: Ints, rows: Ints, counts: Ints) -> None:
        order = np.argsort(terms, kind="stable")
        self.terms, self.rows, self.counts = terms[order], rows[order], counts[order]
        width = int(self.terms[-1]) + 1 if len(terms) else 0
        self.starts = np.zeros(width + 1, dtype=np.int64)
        np.cumsum(np.bincount(self.terms, minlength=width), out=self.starts[1:])

    def of(self, term: int) -> tuple[Ints, Ints]:
        """The rows that hold a term, and how often."""
        if term + 1 >= len(self.starts):
            return self.rows[:0], self.counts[:0]
        part = slice(int(self.starts[term]), int(self.starts[term + 1]))
        return self.rows[part], self.counts[part]


class Postings:
    """BM25 over rows of (term, count) with idf ln(1 + (N - df + .5) / (df + .5)), as Lucene has it: a term adds
    idf * tf / (tf + k1 (1 - b + b * length / mean length))."""

    def __init__(self, k1: float = 1.2, b: float = 0.75) -> None:
        self.k1, self.b = k1, b
        self._segments: list[_Segment] = []
        self._lengths = np.zeros(0, dtype=np.float32)
        self._alive = np.zeros(0, dtype=np.bool_)
        self._norms: Floats | None = None

    def __len__(self) -> int:
        """The rows there have ever been."""
        return len(self._lengths)

    def add(self, terms: Sequence[Ints], counts: Sequence[Ints]) -> None:
        """One row for each pair of arrays: its distinct terms, and how often each stands there."""
        if not terms:
            return
        first = len(self._lengths)
        sizes = [len(one) for one in terms]
        rows = np.repeat(np.arange(first, first + len(sizes), dtype=np.int32), sizes)
        self._segments.append(_Segment(np.concatenate(terms), rows, np.concatenate(counts)))
        lengths = np.array([one.sum() for one in counts], dtype=np.float32)
        self._lengths = np.concatenate([self._lengths, lengths])
        self._alive = np.concatenate([self._alive, np.ones(len(sizes), dtype=np.bool_)])
        self._norms = None
        if len(self._segments) > SEGMENTS:
            self._merge()

    def remove(self, rows: Sequence[int]) -> None:
        """Let these rows count for nothing from now on."""
        self._alive[list(rows)] = False
        self._norms = None

    def scores(self, query: Sequence[int]) -> Floats:
        """The BM25 of every row to the terms of a query, of shape [rows]; a term given twice counts twice."""
        scores = np.zeros(len(self._lengths), dtype=np.float32)
        alive = int(self._alive.sum())
        if not alive:
            return scores
        if self._norms is None:
            mean = max(float(self._lengths[self._alive].mean(dtype=np.float64)), 1e-9)
            self._norms = (self.k1 * (1 - self.b + self.b * self._lengths / mean)).astype(np.float32)
        whole = alive == len(self._alive)
        for term in set(query):
            found = [segment.of(term) for segment in self._segments]
            df = sum(len(rows) if whole else int(self._alive[rows].sum()) for rows, _ in found)
            weight = np.float32(query.count(term) * np.log1p((alive - df + 0.5) / (df + 0.5)))
            for rows, counts in found:
                scores[rows] += weight * (counts / (counts + self._norms[rows])).astype(np.float32)
        if not whole:
            scores[~self._alive] = 0
        return scores

    def _merge(self) -> None:
        parts = self._segments
        terms, rows, counts = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("terms", "rows", "counts")
        )
        keep = self._alive[rows]
        self._segments = [_Segment(terms[keep], rows[keep], counts[keep])]
