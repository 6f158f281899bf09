"""Unit vectors searched by cosine: every one of them, and past a number of them a graph of neighbours (HNSW)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EXACT_UP_TO", "Dense", "highest"]

Floats = NDArray[np.float32]
Rows = NDArray[np.intp]
EXACT_UP_TO = 200_000
"vectors, up to which each is looked at: 100,000 of width 384 are 154 MB, read once a query"
LINKS, BUILDING, SEARCHING = (
    32,
    80,
    128,
)  # of the graph (Malkov and Yashunin, 2016): links a node, breadth of both walks
NARROW = 0.25  # of the rows: fewer are gathered and scored alone, more are scored with all


def highest(scores: NDArray[Any], k: int) -> Rows:
    """The places of the `k` highest scores, the highest first; of equals the first stays first. -inf is left out."""
    rows = np.flatnonzero(scores > -np.inf)  # before the partition, which takes 15 times as long among equals
    if k < len(rows):
        kept = scores[rows]
        rows = rows[kept >= np.partition(kept, len(rows) - k)[len(rows) - k]]
    return rows[np.lexsort((rows, -scores[rows]))][:k]


class Dense:
    """Vectors of length 1 in rows that are added and never renumbered."""

    def __init__(self, width: int, exact_up_to: int = EXACT_UP_TO) -> None:
        self.width = width
        self.exact_up_to = exact_up_to
        self._held = np.zeros((0, width), dtype=np.float32)
        self._count = 0
        self._graph: Any = None

    def __len__(self) -> int:
        """The vectors there have ever been."""
        return self._count

    @property
    def vectors(self) -> Floats:
        """All of them, of shape [rows, width]; not to be written to."""
        return self._held[: self._count]

    def add(self, vectors: Floats) -> None:
        """Take in rows, of shape [n, width]."""
        count = self._count + len(vectors)
        if count > len(self._held):
            room = count if not self._count else max(count, len(self._held) + len(self._held) // 2)
            grown = np.zeros((room, self.width), dtype=np.float32)
            grown[: self._count] = self.vectors
            self._held = grown
        self._held[self._count : count] = vectors
        self._count = count

    def scores(self, query: Floats, allowed: NDArray[np.bool_] | None = None) -> Floats:
        """The cosine of every row with a unit vector [width], of shape [rows]; -inf where it is not allowed."""
        if allowed is None:
            every: Floats = self.vectors @ query
            return every
        rows = np.flatnonzero(allowed)
        if len(rows) < NARROW * len(self):
            scores = np.full(len(self), -np.inf, dtype=np.float32)
            scores[rows] = self.vectors[rows] @ query
            return scores
        return np.where(allowed, self.vectors @ query, np.float32(-np.inf))

    def near(self, query: Floats, k: int, allowed: NDArray[np.bool_] | None = None) -> tuple[Rows, Floats]:
        """Rows that are likely the nearest `k`, and their cosines: by the graph where there are many, else exactly."""
        few = allowed is not None and int(allowed.sum()) <= self.exact_up_to // 4
        if len(self) <= self.exact_up_to or few or not self._linked():
            scores = self.scores(query, allowed)
            rows = highest(scores, k)
            return rows, scores[rows]
        import faiss

        library: Any = faiss  # its own types leave out what its Python side adds
        chosen = None if allowed is None else library.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
        how = library.SearchParametersHNSW(efSearch=max(SEARCHING, 2 * k), sel=chosen)
        cosines, rows = self._graph.search(query[None], k, params=how)
        kept = rows[0] >= 0
        return rows[0][kept].astype(np.intp), cosines[0][kept]

    def _linked(self) -> bool:
        """Bring the graph up to the rows; False where faiss is not installed."""
        try:
            import faiss
        except ImportError:
            return False
        if self._graph is None:
            self._graph = faiss.IndexHNSWFlat(self.width, LINKS, faiss.METRIC_INNER_PRODUCT)
            self._graph.hnsw.efConstruction = BUILDING
        if self._graph.ntotal < self._count:
            self._graph.add(self.vectors[self._graph.ntotal :])
        return True
