"""F1 of one label; named `f1:LABEL` in targets and reports."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dragoman.core.doors import Row
from dragoman.core.types import Answer
from dragoman.metrics._counts import check_rows, f1_of, hits_and_misses, position

__all__ = ["F1"]


@dataclass(frozen=True)
class F1:
    """The harmonic mean of precision and recall of one label; 0 where it is neither predicted nor true."""

    higher_is_better: ClassVar[bool] = True
    kinds: ClassVar[tuple[str, ...]] = ("classify",)
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    labels: tuple[str, ...] = ()
    "The labels of the task; filled in by it."

    label: str = ""
    "The label that is looked at."

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """Hit, false alarm and miss of the label; of shape [3]."""
        row: Row = hits_and_misses(answer, references, self.labels).reshape(3, -1)[:, position(self.label, self.labels)]
        return row

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 3]; `count` is not needed."""
        return f1_of(sums[:, 0], sums[:, 1], sums[:, 2])

    def combine(self, rows: Row) -> float:
        """The figure of rows of shape [answers, 3]."""
        check_rows(rows)
        return float(self.of_sums(rows.sum(axis=0)[None], np.array([float(len(rows))]))[0])
