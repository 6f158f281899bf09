"""How long the answers are."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from dragoman.core.doors import Row
from dragoman.core.types import Answer
from dragoman.metrics._text import figure, mean

__all__ = ["AnswerLength"]


@dataclass(frozen=True)
class AnswerLength:
    """The mean length of an answer, in characters or words: no figure of quality, but of drift.

    As a limit (`answer_length = "<= 400"`) shorter is better; between base and tuned any large change wants a look.
    """

    higher_is_better: ClassVar[bool] = False
    kinds: ClassVar[tuple[str, ...]] = ("summarize", "translate", "chat", "write", "answer")

    unit: Literal["characters", "words"] = "characters"
    "What is counted: characters, or what white space parts."

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """The length of one answer; of shape [1]. References do not count."""
        return np.array([float(len(answer.text if self.unit == "characters" else answer.text.split()))])

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 1] over `count` rows each."""
        return mean(sums, count)

    def combine(self, rows: Row) -> float:
        """The mean of rows of shape [answers, 1]."""
        return figure(self.of_sums, rows)
