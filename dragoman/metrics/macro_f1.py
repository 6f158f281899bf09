"""The mean over the labels of each label's F1: every label counts alike, however rare."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dragoman.core.doors import Row
from dragoman.core.types import Answer
from dragoman.metrics._counts import check_rows, f1_of, hits_and_misses

__all__ = ["MacroF1"]


@dataclass(frozen=True)
class MacroF1:
    """The mean of per-label F1 over all labels, not the F1 of mean precision and recall (Opitz and Burst, 2019).

    A label neither predicted nor true counts as 0, which is scikit-learn's `zero_division=0`.
    """

    higher_is_better: ClassVar[bool] = True
    kinds: ClassVar[tuple[str, ...]] = ("classify",)
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    labels: tuple[str, ...] = ()
    "The labels of the task; filled in by it."

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """Hits, false alarms and misses of each label; of shape [3 * labels]."""
        return hits_and_misses(answer, references, self.labels)

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 3 * labels]; `count` is not needed."""
        hits, alarms, misses = np.split(sums, 3, axis=1)
        figure: Row = f1_of(hits, alarms, misses).mean(axis=1)
        return figure

    def combine(self, rows: Row) -> float:
        """The figure of rows of shape [answers, 3 * labels]."""
        check_rows(rows)
        return float(self.of_sums(rows.sum(axis=0)[None], np.array([float(len(rows))]))[0])
