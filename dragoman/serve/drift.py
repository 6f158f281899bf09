"""How far what people ask has moved from what the model learnt from: how long texts are, what they are about, a test.

Three figures. The population-stability index compares shares of bins, here tenths of the lengths and clusters of the
vectors (Kullback and Leibler 1951, as a symmetric sum; 0.1 is small and 0.25 much by the custom of credit scoring).
It grows with chance where samples are small: with B bins and no drift at all it is about (B - 1) (1/n + 1/m) (Yurdakul
2018), which stands beside it. The maximum mean discrepancy of the vectors (Gretton et al. 2012) sees any difference of
two samples; its p-value comes from permutations and so is exact where each input is independent of the others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Drift", "Inputs", "Reference", "cut_points", "discrepancy", "groups", "measure", "refer", "stability"]

BINS = 10
ROUNDS = 25  # of k-means; it has settled long before on some hundred texts
PERMUTATIONS = 999
CHUNK = 256  # permutations at once: at 1,000 texts they take 2 MB
ALIKE = 1e-12  # two discrepancies that differ by less are one


@dataclass(frozen=True, slots=True)
class Inputs:
    """Texts as they are compared: their lengths in characters and their unit vectors [texts, width]."""

    lengths: Sequence[int]
    vectors: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reference:
    """What texts are compared with, and the bins that it makes."""

    inputs: Inputs
    edges: NDArray[np.float64]
    "where the bins of lengths are cut, in characters, rising"
    centres: NDArray[np.float32]
    "the middle of each group of vectors [groups, width]"


@dataclass(frozen=True, slots=True)
class Drift:
    """How far some texts are from the reference."""

    n: int
    reference: int
    "how many texts it has"
    lengths: float
    "the stability index of lengths; 0 is none"
    topics: float
    "the stability index of groups of vectors; 0 is none"
    chance: float
    "what either index is about where nothing has moved, with so few texts"
    distance: float
    "the discrepancy of the vectors; 0 is none"
    p: float
    "how likely such a discrepancy or a larger one is where nothing has moved"

    @property
    def stability(self) -> float:
        """The larger of both indices."""
        return max(self.lengths, self.topics)


def stability(before: Sequence[float], now: Sequence[float]) -> float:
    """The population-stability index of two counts of the same bins, with half a text added to each bin of both, so
    that an empty bin is finite. 0 on the same counts; in nats."""
    first, second = (np.asarray(one, dtype=np.float64) + 0.5 for one in (before, now))
    first, second = first / first.sum(), second / second.sum()
    return float(((second - first) * np.log(second / first)).sum())


def cut_points(lengths: Sequence[int], bins: int = BINS) -> NDArray[np.float64]:
    """Where lengths are cut into bins of about the same number, fewer where many are alike."""
    inner = np.quantile(np.asarray(lengths, dtype=np.float64), np.arange(1, bins) / bins, method="inverted_cdf")
    found: NDArray[np.float64] = np.unique(inner)
    return found


def groups(vectors: NDArray[np.float32], count: int = BINS, seed: int = 0) -> NDArray[np.float32]:
    """The middles of groups of vectors by k-means (Lloyd 1982), begun by k-means++ (Arthur and Vassilvitskii 2007)."""
    random = np.random.default_rng(seed)
    centres = vectors[[random.integers(len(vectors))]].astype(np.float64)
    while len(centres) < count:
        away = _squares(vectors, centres).min(axis=1)
        if away.sum() <= ALIKE:
            break  # there are fewer different vectors than groups
        centres = np.vstack([centres, vectors[random.choice(len(vectors), p=away / away.sum())]])
    for _ in range(ROUNDS):
        nearest = _squares(vectors, centres).argmin(axis=1)
        centres = np.stack(
            [
                vectors[nearest == one].mean(axis=0) if (nearest == one).any() else centres[one]
                for one in range(len(centres))
            ]
        )
    return centres.astype(np.float32)


def refer(inputs: Inputs) -> Reference:
    """The reference that some texts make; at least one is needed."""
    return Reference(inputs, cut_points(inputs.lengths), groups(inputs.vectors))


def discrepancy(
    before: NDArray[np.float32], now: NDArray[np.float32], permutations: int = PERMUTATIONS, seed: int = 0
) -> tuple[float, float]:
    """The maximum mean discrepancy of two samples of vectors and its permutation p-value (Gretton et al. 2012).

    The kernel is Gaussian, as wide as the median distance; the estimate is the unbiased one, its root taken, 0 where it
    is below 0. Each sample needs two vectors. p is at least 1 / (permutations + 1).
    """
    both = np.vstack([before, now]).astype(np.float64)
    n, m = len(before), len(now)
    squares = _squares(both, both)
    apart = squares[np.triu_indices(n + m, 1)]
    width = float(np.median(apart[apart > ALIKE])) if (apart > ALIKE).any() else 1.0
    kernel = np.exp(-squares / width)
    np.fill_diagonal(kernel, 0.0)
    rows, whole = kernel.sum(axis=1), float(kernel.sum())
    random = np.random.default_rng(seed)
    first = np.zeros((1, n + m))
    first[0, :n] = 1.0
    found = float(_discrepancies(kernel, first, rows, whole)[0])
    as_large = 0
    for start in range(0, permutations, CHUNK):
        drawn = random.permuted(np.repeat(first, min(CHUNK, permutations - start), axis=0), axis=1)
        as_large += int((_discrepancies(kernel, drawn, rows, whole) >= found - ALIKE).sum())
    return math.sqrt(max(found, 0.0)), (as_large + 1) / (permutations + 1)


def measure(reference: Reference, now: Inputs, permutations: int = PERMUTATIONS, seed: int = 0) -> Drift:
    """How far texts are from the reference; each needs two."""
    held = reference.inputs
    by_length = [
        np.bincount(
            np.searchsorted(reference.edges, np.asarray(one.lengths), side="left"), minlength=len(reference.edges) + 1
        )
        for one in (held, now)
    ]
    by_group = [
        np.bincount(_squares(one.vectors, reference.centres).argmin(axis=1), minlength=len(reference.centres))
        for one in (held, now)
    ]
    distance, p = discrepancy(held.vectors, now.vectors, permutations, seed)
    bins = max(len(by_length[0]), len(by_group[0]))
    n, m = len(held.lengths), len(now.lengths)
    return Drift(
        n=m,
        reference=n,
        lengths=stability(by_length[0].tolist(), by_length[1].tolist()),
        topics=stability(by_group[0].tolist(), by_group[1].tolist()),
        chance=(bins - 1) * (1 / n + 1 / m),
        distance=distance,
        p=p,
    )


def _squares(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """The squared distance of each pair [first, second]."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    found: NDArray[np.float64] = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None] - 2.0 * a @ b.T
    return np.maximum(found, 0.0)


def _discrepancies(
    kernel: NDArray[np.float64], chosen: NDArray[np.float64], rows: NDArray[np.float64], whole: float
) -> NDArray[np.float64]:
    """The squared discrepancy between those that are chosen (1) and the others (0), for each row of choices."""
    n = chosen[0].sum()
    m = chosen.shape[1] - n
    within = ((chosen @ kernel) * chosen).sum(axis=1)
    across = chosen @ rows - within
    others = whole - within - 2.0 * across
    found: NDArray[np.float64] = within / (n * (n - 1)) + others / (m * (m - 1)) - 2.0 * across / (n * m)
    return found
