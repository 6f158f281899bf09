"""How much the answers say over and over again."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dragoman.core.doors import Row
from dragoman.core.types import Answer
from dragoman.metrics._text import figure, mean, ngrams

__all__ = ["Repetition"]


@dataclass(frozen=True)
class Repetition:
    """The mean share of an answer's runs of four words that stood in it before (seq-rep-4; Welleck, 2020).

    0 in nearly every text people write, towards 1 in a loop. Words are what white space parts, so a language without
    spaces shows 0 whatever it says; an answer of fewer than four words shows 0.
    """

    higher_is_better: ClassVar[bool] = False
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    trials: ClassVar[float] = 50.0
    kinds: ClassVar[tuple[str, ...]] = ("summarize", "translate", "chat", "write", "answer")

    order: int = 4
    "How many words a run has."

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """The share of runs that were there before; of shape [1]. References do not count."""
        runs = ngrams(answer.text.split(), self.order)
        return np.array([1.0 - len(runs) / runs.total() if runs else 0.0])

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 1] over `count` rows each."""
        return mean(sums, count)

    def combine(self, rows: Row) -> float:
        """The mean of rows of shape [answers, 1]."""
        return figure(self.of_sums, rows)
