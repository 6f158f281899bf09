"""The share of rows answered exactly right."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dragoman.core.doors import Row
from dragoman.core.types import Answer
from dragoman.metrics._counts import check_rows, chosen

__all__ = ["Accuracy"]


@dataclass(frozen=True)
class Accuracy:
    """The share of rows whose predicted labels are exactly the true ones (subset accuracy where several may hold)."""

    higher_is_better: ClassVar[bool] = True
    kinds: ClassVar[tuple[str, ...]] = ("classify",)
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    labels: tuple[str, ...] = ()
    "The labels of the task; filled in by it."

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """1 where the sets of labels are equal, else 0; of shape [1]."""
        return np.array([float(set(chosen(answer, self.labels or references)) == set(references))])

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 1] over `count` rows each."""
        return sums[:, 0] / count

    def combine(self, rows: Row) -> float:
        """The mean of rows of shape [answers, 1]."""
        check_rows(rows)
        return float(self.of_sums(rows.sum(axis=0)[None], np.array([float(len(rows))]))[0])
