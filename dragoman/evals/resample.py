"""Drawing rows again and again: which rows go together, and the figure of each draw, fast where rows can be summed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dragoman.core.doors import Metric, Row

__all__ = ["Counted", "Summed", "Units", "draws", "figures", "resampled"]

BLOCK = 4_000_000  # drawn numbers held at once: 32 MB


@runtime_checkable
class Summed(Protocol):
    """A metric whose figure follows from the sum of its rows, so that thousands of draws are one matrix product."""

    def of_sums(self, sums: Row, count: Row) -> Row:
        """One figure a case, from sums of shape [cases, width] over `count` rows each, of shape [cases]."""
        ...


@runtime_checkable
class Counted(Protocol):
    """A metric whose rows cannot be summed, but that can say the figure of many draws of the same rows at once."""

    def of_counts(self, rows: Row, counts: Row) -> Row:
        """One figure a draw, from how often it drew each row: `counts` of shape [draws, answers]."""
        ...


@dataclass(frozen=True)
class Units:
    """What is drawn: single rows, or groups of rows that belong together."""

    of_row: NDArray[np.intp]
    "The unit of each row, of shape [rows]."

    count: int
    "How many units there are."

    @property
    def grouped(self) -> bool:
        """Whether some unit holds several rows."""
        return self.count < len(self.of_row)

    @staticmethod
    def of(groups: Sequence[str], rows: int) -> "Units":
        """The units of rows with the given groups; a row without a group, or with an empty one, stands alone."""
        if len(groups) == 0:
            return Units(np.arange(rows), rows)
        if len(groups) != rows:
            raise ValueError(f"{rows} rows but {len(groups)} groups")
        seen: dict[tuple[str, int], int] = {}
        keys = [(group, -1) if group else ("", place) for place, group in enumerate(groups)]
        of_row = np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.intp)
        return Units(of_row, len(seen))

    def totals(self, rows: Row) -> Row:
        """The sum of the rows of each unit, of shape [units, width]."""
        if not self.grouped:
            return rows
        columns = [np.bincount(self.of_row, weights=column, minlength=self.count) for column in rows.T]
        return np.stack(columns, axis=1)

    def sizes(self) -> Row:
        """How many rows each unit holds, of shape [units]."""
        return np.bincount(self.of_row, minlength=self.count).astype(np.float64)


def draws(units: int, resamples: int, seed: int) -> Iterator[Row]:
    """How often each unit was drawn, in blocks of shape [some of the resamples, units]; drawn with replacement."""
    random = np.random.default_rng(seed)
    block = max(1, BLOCK // max(units, 1))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        picked = random.integers(0, units, size=(size, units))
        picked += np.arange(size)[:, None] * units
        yield np.bincount(picked.ravel(), minlength=size * units).reshape(size, units).astype(np.float64)


def figures(metric: Metric, rows: Row, counts: Row, units: Units) -> Row:
    """The figure of each draw, of shape [draws], from counts of shape [draws, units]."""
    if isinstance(metric, Summed):
        return metric.of_sums(counts @ units.totals(rows), counts @ units.sizes())
    each = counts[:, units.of_row]
    if isinstance(metric, Counted):
        return metric.of_counts(rows, each)
    places = np.arange(len(rows))
    return np.array([metric.combine(rows[np.repeat(places, times)]) for times in each.astype(np.intp)])


def resampled(
    metrics: Mapping[str, Metric], measured: Mapping[str, Row], units: Units, resamples: int, seed: int
) -> dict[str, Row]:
    """For each metric the figure of each of many draws of the units, of shape [resamples]; all see the same draws.

    All rows that can be summed are summed in one matrix product: with a figure for each label, counts are read once.
    """
    quick = {name: metric for name, metric in metrics.items() if isinstance(metric, Summed)}
    slow = {name: metric for name, metric in metrics.items() if name not in quick}
    totals = np.concatenate([np.empty((units.count, 0)), *(units.totals(measured[name]) for name in quick)], axis=1)
    starts = np.cumsum([0, *(measured[name].shape[1] for name in quick)])
    found: dict[str, list[Row]] = {name: [] for name in metrics}
    for counts in draws(units.count, resamples, seed):
        size, sums = counts @ units.sizes(), counts @ totals
        for (name, metric), start, end in zip(quick.items(), starts, starts[1:], strict=False):
            found[name].append(metric.of_sums(sums[:, start:end], size))
        for name, other in slow.items():
            found[name].append(figures(other, measured[name], counts, units))
    return {name: np.concatenate(blocks) for name, blocks in found.items()}
