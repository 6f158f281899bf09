"""The share of answers that ended by themselves instead of being cut off."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dragoman.core.doors import Row
from dragoman.core.errors import UserError
from dragoman.core.types import Answer
from dragoman.metrics._text import figure, mean

__all__ = ["Stopped"]


@dataclass(frozen=True)
class Stopped:
    """The share of answers whose model wrote its stop token before the limit on length.

    A model that never learnt to stop writes on until it is cut: every answer is as long as allowed, and says so here.
    """

    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    kinds: ClassVar[tuple[str, ...]] = ("summarize", "translate", "chat", "write", "answer")
    needs: ClassVar[tuple[str, ...]] = ("finish",)

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """1 where the answer stopped, 0 where it was cut; of shape [1]. Raises UserError where that is not known."""
        if not answer.finish:
            raise UserError(
                "stopped needs to know how an answer ended, and an answer does not tell",
                "take it out of scope.target for an assistant that does not write its answers",
            )
        return np.array([float(answer.finish == "stop")])

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 1] over `count` rows each."""
        return mean(sums, count)

    def combine(self, rows: Row) -> float:
        """The mean of rows of shape [answers, 1]."""
        return figure(self.of_sums, rows)
