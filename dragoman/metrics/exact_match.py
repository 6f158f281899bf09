"""The share of answers that say exactly what a reference says, but for case, punctuation and articles."""

from dataclasses import dataclass
from typing import ClassVar

from dragoman.core.doors import Row
from dragoman.core.types import Answer
from dragoman.metrics._squad import plain
from dragoman.metrics._text import best, figure, mean

__all__ = ["ExactMatch"]


@dataclass(frozen=True)
class ExactMatch:
    """The share of answers equal to a reference in lower case, without punctuation and articles (Rajpurkar, 2016).

    The articles are the English ones. A row without references has no answer, and the empty text is right there.
    """

    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    kinds: ClassVar[tuple[str, ...]] = ("answer", "chat", "write")

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """1 where the answer equals any reference, else 0; of shape [1]."""
        said = plain(answer.text)
        return best(lambda reference: float(said == plain(reference)), references or ("",), "exact_match")

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 1] over `count` rows each."""
        return mean(sums, count)

    def combine(self, rows: Row) -> float:
        """The mean of rows of shape [answers, 1]."""
        return figure(self.of_sums, rows)
