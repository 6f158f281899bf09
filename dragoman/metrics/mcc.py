"""Matthews' correlation between what was predicted and what is true, for any number of labels."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dragoman.core.doors import Row
from dragoman.core.errors import UserError
from dragoman.core.types import Answer
from dragoman.metrics._counts import check_rows, chosen, position

__all__ = ["Mcc"]


@dataclass(frozen=True)
class Mcc:
    """The correlation of predicted and true label, from -1 to 1 (Gorodkin, 2004); 0 where either never varies."""

    higher_is_better: ClassVar[bool] = True
    kinds: ClassVar[tuple[str, ...]] = ("classify",)
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    labels: tuple[str, ...] = ()
    "The labels of the task; filled in by it."

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """Correct or not, the true label, the predicted one (last column: none of them); of shape [2 * labels + 2].

        Raises UserError where several labels hold at once: the figure has no agreed meaning there.
        """
        predicted = chosen(answer, self.labels)
        if len(references) != 1 or len(predicted) > 1:
            raise UserError(
                "mcc is defined for one label a row, and a row carries several or none",
                "use macro_f1 or micro_f1 in scope.target",
            )
        size = len(self.labels)
        true = position(references[0], self.labels)
        guess = self.labels.index(predicted[0]) if predicted and predicted[0] in self.labels else size
        row = np.zeros(2 * size + 2)
        row[0] = float(true == guess)
        row[1 + true] = 1.0
        row[1 + size + guess] = 1.0
        return row

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 2 * labels + 2] over `count` rows each."""
        size = (sums.shape[1] - 2) // 2
        right, true, predicted = sums[:, 0], sums[:, 1 : 1 + size], sums[:, 1 + size :]
        together = right * count - (true * predicted[:, :size]).sum(axis=1)
        spread_true = count**2 - (true**2).sum(axis=1)
        spread_predicted = count**2 - (predicted**2).sum(axis=1)
        weight = np.sqrt(spread_true) * np.sqrt(spread_predicted)
        figure: Row = np.divide(together, weight, out=np.zeros_like(weight), where=weight > 0)
        return figure

    def combine(self, rows: Row) -> float:
        """The figure of rows of shape [answers, 2 * labels + 2]."""
        check_rows(rows)
        return float(self.of_sums(rows.sum(axis=0)[None], np.array([float(len(rows))]))[0])
