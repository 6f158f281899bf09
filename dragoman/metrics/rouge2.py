"""How many pairs of neighbouring words an answer and the reference share."""

from dataclasses import dataclass
from typing import ClassVar

from dragoman.core.doors import Row
from dragoman.core.types import Answer
from dragoman.metrics._rouge import rouge_n
from dragoman.metrics._text import best, figure, mean

__all__ = ["Rouge2"]


@dataclass(frozen=True)
class Rouge2:
    """F1 of pairs of neighbouring words, each counted as often as it stands in both texts (ROUGE-2; Lin, 2004).

    From 0 to 1, where papers write 0 to 100; of several references the best counts, and the figure is the mean over
    the answers. Only a-z and digits are seen: see `warning` in metrics/_text.py for texts in other letters.
    """

    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    trials: ClassVar[float] = 50.0
    kinds: ClassVar[tuple[str, ...]] = ("summarize", "write", "chat", "answer")

    stemmer: bool = False
    "Whether words are cut to their stems first (Porter, 1980): for English alone."

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """The best F1 against any reference; of shape [1]. Raises UserError where there is no reference."""
        return best(lambda reference: rouge_n(answer.text, reference, 2, self.stemmer), references, "rouge2")

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 1] over `count` rows each."""
        return mean(sums, count)

    def combine(self, rows: Row) -> float:
        """The mean of rows of shape [answers, 1]."""
        return figure(self.of_sums, rows)
