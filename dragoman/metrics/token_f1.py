"""How many words an answer shares with a reference."""

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from dragoman.core.doors import Row
from dragoman.core.types import Answer
from dragoman.metrics._squad import plain
from dragoman.metrics._text import best, figure, mean

__all__ = ["TokenF1"]


@dataclass(frozen=True)
class TokenF1:
    """The mean F1 of the words that answer and reference share, as SQuAD counts it (Rajpurkar, 2016 and 2018).

    Case, punctuation and English articles do not count; of several references the best does. Where either side is
    empty, both must be: that is a question without an answer, and a row without references is one.
    """

    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    trials: ClassVar[float] = 50.0
    kinds: ClassVar[tuple[str, ...]] = ("answer", "chat", "write")

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """The best F1 against any reference; of shape [1]."""
        said = plain(answer.text).split()
        return best(lambda reference: _f1(said, plain(reference).split()), references or ("",), "token_f1")

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 1] over `count` rows each."""
        return mean(sums, count)

    def combine(self, rows: Row) -> float:
        """The mean of rows of shape [answers, 1]."""
        return figure(self.of_sums, rows)


def _f1(said: list[str], wanted: list[str]) -> float:
    """F1 of two bags of words."""
    if not said or not wanted:
        return float(said == wanted)
    return 2.0 * (Counter(said) & Counter(wanted)).total() / (len(said) + len(wanted))
