"""The forgetting card: what a model could do before it was adapted, and can no longer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dragoman.core.doors import Row
from dragoman.core.types import Estimate
from dragoman.evals.compare import Comparison, difference
from dragoman.evals.interval import estimate
from dragoman.metrics.accuracy import Accuracy

__all__ = ["Forgetting", "forgetting", "known_items"]

BLOCK = 4_000_000
TIE = 1e-6  # cosines of float32 vectors closer than this are equal


@dataclass(frozen=True, slots=True)
class Forgetting:
    """How often each query found its own document first, before and after, and the share that was lost."""

    before: Estimate
    after: Estimate
    drop: Estimate
    "before - after: above 0 where something was forgotten; held against scope.limits.forgetting."
    comparison: Comparison


def known_items(queries: NDArray[np.float32], documents: NDArray[np.float32]) -> Row:
    """1 where the document beside a query is nearer to it than every other one, else 0; of shape [pairs, 1].

    A tie is a miss, so a model whose vectors have all become one finds nothing.
    """
    if queries.shape != documents.shape or queries.ndim != 2:
        raise ValueError(f"queries {queries.shape} and documents {documents.shape} must pair up")
    found = np.zeros((len(queries), 1))
    block = max(1, BLOCK // max(1, len(documents)))
    for start in range(0, len(queries), block):
        near = queries[start : start + block] @ documents.T
        rows = np.arange(len(near))
        own = near[rows, start + rows].copy()
        near[rows, start + rows] = -np.inf
        found[start : start + block, 0] = own > near.max(axis=1) + TIE
    return found


def forgetting(
    before: tuple[NDArray[np.float32], NDArray[np.float32]],
    after: tuple[NDArray[np.float32], NDArray[np.float32]],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Forgetting:
    """Known-item retrieval (hit at 1) of the same pairs by the model before and after, each (query, document) vectors.

    Vectors have shape [pairs, width] and length 1. The drop carries a paired 95 % interval.
    """
    rows_before, rows_after = known_items(*before), known_items(*after)
    metric = Accuracy()
    change = difference(metric, rows_before, rows_after, name="hit_at_1", resamples=resamples, seed=seed)
    gap = change.difference
    return Forgetting(
        estimate(metric, rows_before, resamples=resamples, seed=seed),
        estimate(metric, rows_after, resamples=resamples, seed=seed),
        Estimate(-gap.value, -gap.high, -gap.low, gap.n),
        change,
    )
