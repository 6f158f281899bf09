"""How much of each sentence of the reference the answer's sentences say in the same order."""

from dataclasses import dataclass
from typing import ClassVar

from dragoman.core.doors import Row
from dragoman.core.types import Answer
from dragoman.metrics._rouge import rouge_lsum
from dragoman.metrics._text import best, figure, mean

__all__ = ["Rougelsum"]


@dataclass(frozen=True)
class Rougelsum:
    """F1 of the longest common subsequences of each reference line with any answer line (ROUGE-Lsum; Lin, 2004).

    A line is a sentence: where the texts have one line, it equals `rougel`.

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
        return best(lambda reference: rouge_lsum(answer.text, reference, self.stemmer), references, "rougelsum")

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 1] over `count` rows each."""
        return mean(sums, count)

    def combine(self, rows: Row) -> float:
        """The mean of rows of shape [answers, 1]."""
        return figure(self.of_sums, rows)
