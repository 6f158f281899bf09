"""How many of the questions that the documents do not answer were refused."""

from dataclasses import dataclass
from typing import ClassVar

from dragoman.core.doors import Row
from dragoman.core.types import Answer
from dragoman.metrics._refused import refused_row
from dragoman.metrics._text import figure, per_case

__all__ = ["RefusalRecall"]


@dataclass(frozen=True)
class RefusalRecall:
    """Refused questions without an answer over all without one.

    A question without an answer has no reference, or an empty one.
    A refusal says "not in the documents", word for word.
    """

    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    kinds: ClassVar[tuple[str, ...]] = ("answer", "chat", "write")

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """Rightly refused, refused, and without an answer: 0 or 1 each; of shape [3]."""
        return refused_row(answer, references)

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 3]; `count` is not needed. 0 where there is nothing to share."""
        return per_case(sums[:, 0], sums[:, 2])

    def combine(self, rows: Row) -> float:
        """The figure of rows of shape [answers, 3]."""
        return figure(self.of_sums, rows)
