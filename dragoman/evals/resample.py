"""Drawing rows again and again: which rows go together, and the figure of each draw, fast where rows can be summed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dragoman.core.doors import Metric, Row

__all__ = ["Summed", "Units", "draws", "figures", "resampled"]

BLOCK = 4_000_000  # drawn numbers held at once: 32 MB


@runtime_checkable
class Summed(Protocol):
    """A metric whose figure follows from the sum of its rows, so that thousands of draws are one matrix product."""

    def of_sums(self, sums: Row, count: Row) -> Row:
        """One figure a case, from sums of shape [cases, width] over `count` rows each, of shape [cases]."""
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
    order = np.argsort(rows[:, 0], kind="stable")  # a metric that sorts, such as ece, then finds its work done
    each = counts.astype(np.intp)[:, units.of_row[order]]
    return np.array([metric.combine(rows[np.repeat(order, times)]) for times in each])


def resampled(
    metrics: Mapping[str, Metric], measured: Mapping[str, Row], units: Units, resamples: int, seed: int
) -> dict[str, Row]:
    """For each metric the figure of each of many draws of the units, of shape [resamples]; all see the same draws."""
    blocks = list[dict[str, Row]]()
    for counts in draws(units.count, resamples, seed):
        blocks.append({name: figures(metric, measured[name], counts, units) for name, metric in metrics.items()})
    return {name: np.concatenate([block[name] for block in blocks]) for name in metrics}
