"""Two rankings made one, and a ranking made varied: pure functions on what was found."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dragoman.core.documents import Hit

__all__ = ["convex", "mmr", "rrf"]


def _ranked(hits: Sequence[Hit], scores: Sequence[float]) -> list[Hit]:
    """The hits with these scores, the best first; of equals the first stays first."""
    scored = [replace(hit, score=float(score)) for hit, score in zip(hits, scores, strict=True)]
    return sorted(scored, key=lambda hit: -hit.score)


def convex(hits: Sequence[Hit], weight: float = 0.7) -> list[Hit]:
    """The hits by weight * cosine + (1 - weight) * BM25 / the highest BM25 (Bruch et al., 2023); what was not looked at
    counts as 0."""
    most = max((hit.lexical or 0.0 for hit in hits), default=0.0)
    return _ranked(
        hits,
        [weight * (hit.dense or 0.0) + (1 - weight) * ((hit.lexical or 0.0) / most if most else 0.0) for hit in hits],
    )


def rrf(hits: Sequence[Hit], k: int = 10) -> list[Hit]:
    """The hits by the sum of 1 / (k + rank) over the rankings they stand in (Cormack et al., 2009).

    A hit stands in the ranking by words where its BM25 is above 0; among equals the first ranks first.
    """
    scores = np.zeros(len(hits))
    by_meaning = [row for row, hit in enumerate(hits) if hit.dense is not None]
    by_words = [row for row, hit in enumerate(hits) if hit.lexical]
    by_meaning.sort(key=lambda row: -(hits[row].dense or 0.0))
    by_words.sort(key=lambda row: -(hits[row].lexical or 0.0))
    for ranking in (by_meaning, by_words):
        for rank, row in enumerate(ranking, 1):
            scores[row] += 1 / (k + rank)
    return _ranked(hits, scores.tolist())


def mmr(hits: Sequence[Hit], vectors: NDArray[np.float32], k: int, weight: float = 0.7) -> list[Hit]:
    """`k` of the hits, each the highest of weight * score - (1 - weight) * its cosine with the nearest that is taken
    (maximal marginal relevance, Carbonell and Goldstein, 1998).

    `vectors` are unit vectors of shape [hits, width]. The hits keep their scores, which should lie between 0 and 1.
    """
    scores = np.array([hit.score for hit in hits])
    nearest = np.zeros(len(hits))
    left = np.ones(len(hits), dtype=np.bool_)
    taken: list[Hit] = []
    while left.any() and len(taken) < k:
        gains = np.where(left, weight * scores - (1 - weight) * nearest, -np.inf)
        row = int(np.argmax(gains))
        alike = (vectors @ vectors[row]).astype(np.float64)
        nearest = alike if not taken else np.maximum(nearest, alike)
        left[row] = False
        taken.append(hits[row])
    return taken
