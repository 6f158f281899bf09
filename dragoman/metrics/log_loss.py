"""How surprised the model was by the truth, in nats a row."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dragoman.core.doors import Row
from dragoman.core.types import Answer
from dragoman.metrics._counts import check_rows, position, probabilities

__all__ = ["LogLoss"]


@dataclass(frozen=True)
class LogLoss:
    """The mean of -log p(true label), in nats; where several labels hold at once, the mean binary loss over the labels.

    Probabilities are clipped at 2.2e-16 (float64 epsilon) as in scikit-learn: a certain mistake costs 36 nats.
    """

    higher_is_better: ClassVar[bool] = False
    kinds: ClassVar[tuple[str, ...]] = ("classify",)

    labels: tuple[str, ...] = ()
    "The labels of the task; filled in by it."

    multi_label: bool = False
    "Whether several labels may hold at once; filled in by the task."

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """The loss of one row; of shape [1]. Raises UserError when the answer carries no probabilities."""
        true = [position(reference, self.labels) for reference in references]
        smallest = np.finfo(np.float64).eps
        given = np.clip(probabilities(answer, self.labels, "log_loss"), smallest, 1.0 - smallest)
        if self.multi_label:
            held = np.zeros(len(self.labels))
            held[true] = 1.0
            return np.array([-np.mean(held * np.log(given) + (1.0 - held) * np.log1p(-given))])
        return np.array([-np.log(given[true]).mean()])

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 1] over `count` rows each."""
        return sums[:, 0] / count

    def combine(self, rows: Row) -> float:
        """The mean of rows of shape [answers, 1]."""
        check_rows(rows)
        return float(rows[:, 0].mean())
