"""How far raters agree beyond chance: Krippendorff's alpha for any number of them, with gaps (Krippendorff 2011)."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dragoman.core.types import Estimate
from dragoman.evals.resample import draws

__all__ = ["Level", "agreement", "alpha", "same_share"]

Level = Literal["nominal", "ordinal", "interval"]
Units = Sequence[Sequence[float | None]]
"one list a unit: what each rater said of it, None where one said nothing; raters may stand in any order"
ENOUGH = 0.95  # a share of the draws in which alpha must be defined, or its interval says nothing


def alpha(units: Units, level: Level = "nominal") -> float | None:
    """Krippendorff's alpha: 1 is full agreement, 0 what chance gives, below 0 is disagreement by system.

    `ordinal` ranks the values by size. None where it is undefined: no unit with two values, or all values are equal.
    """
    coincidences = _coincidences(units, _values(units)).sum(axis=0)
    found = _alphas(coincidences[None], _values(units), level)[0]
    return None if np.isnan(found) else float(found)


def same_share(units: Units) -> float | None:
    """The share of pairs of raters that said the same of a unit, every unit weighing as many values as it has; None
    where no unit has two values."""
    coincidences = _coincidences(units, _values(units)).sum(axis=0)
    total = float(coincidences.sum())
    return float(np.trace(coincidences)) / total if total else None


def agreement(
    groups: Sequence[Units], level: Level = "nominal", *, resamples: int = 1000, seed: int = 0
) -> Estimate | None:
    """Alpha of all units with its 95 % percentile interval; units of one group (pairs of one item) are drawn together.

    `n` counts the groups in which two raters met. None where alpha is undefined; the interval is the whole scale from
    -1 to 1 where there are fewer than two such groups, or too few draws in which alpha is defined.
    """
    everything = [unit for units in groups for unit in units]
    value = alpha(everything, level)
    if value is None:
        return None
    values = _values(everything)
    each = np.stack([_coincidences(units, values).sum(axis=0) for units in groups])
    each = each[each.sum(axis=(1, 2)) > 0]
    count = len(each)
    if count < 2:
        return Estimate(value, -1.0, 1.0, count)
    sums = np.concatenate([block @ each.reshape(count, -1) for block in draws(count, resamples, seed)])
    drawn = _alphas(sums.reshape(-1, len(values), len(values)), values, level)
    defined = drawn[~np.isnan(drawn)]
    if len(defined) < ENOUGH * resamples:
        return Estimate(value, -1.0, 1.0, count)
    low, high = np.quantile(defined, (0.025, 0.975))
    return Estimate(value, min(float(low), value), max(float(high), value), count)


def _values(units: Units) -> NDArray[np.float64]:
    """The different values that occur, in order, of shape [values]."""
    return np.array(sorted({one for unit in units for one in unit if one is not None}), dtype=np.float64)


def _coincidences(units: Units, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """How often two raters' values met in each unit, of shape [units, values, values]; a unit of m values sums to m.

    A unit with a single value can meet nothing and is all zeros.
    """
    found = np.zeros((len(units), len(values), len(values)))
    for place, unit in enumerate(units):
        said = np.searchsorted(values, [one for one in unit if one is not None])
        if len(said) > 1:
            counts = np.bincount(said, minlength=len(values)).astype(np.float64)
            found[place] = (np.outer(counts, counts) - np.diag(counts)) / (len(said) - 1)
    return found


def _alphas(coincidences: NDArray[np.float64], values: NDArray[np.float64], level: Level) -> NDArray[np.float64]:
    """Alpha of each of several matrices, of shape [cases, values, values] -> [cases]; NaN where it is undefined."""
    totals = coincidences.sum(axis=2)
    size = totals.sum(axis=1)
    apart = _distances(totals, values, level)
    observed = (coincidences * apart).sum(axis=(1, 2))
    expected = np.einsum("ci,cj,cij->c", totals, totals, apart)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected > 0, 1.0 - (size - 1) * observed / expected, np.nan)


def _distances(totals: NDArray[np.float64], values: NDArray[np.float64], level: Level) -> NDArray[np.float64]:
    """The squared difference of each two values in each case, of shape [cases, values, values].

    Ordinal: the number of values given from one to the other, both ends counting half.
    """
    count = len(values)
    if level == "nominal":
        apart = np.broadcast_to(1.0 - np.eye(count), (len(totals), count, count))
    elif level == "interval":
        apart = np.broadcast_to((values[:, None] - values[None, :]) ** 2, (len(totals), count, count))
    else:
        middle = np.cumsum(totals, axis=1) - totals / 2
        apart = (middle[:, :, None] - middle[:, None, :]) ** 2
    return apart
