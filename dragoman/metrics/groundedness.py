"""How much of what was answered stands in the passages it was answered from."""

from dataclasses import dataclass
from typing import ClassVar

from dragoman.core.doors import Row
from dragoman.core.types import Answer
from dragoman.metrics._text import figure, per_case, reported

__all__ = ["Groundedness"]


@dataclass(frozen=True)
class Groundedness:
    """Supported sentences over all sentences (faithfulness; Es et al. 2023, 2309.15217), of all answers together.

    An answer that was held to its passages tells both in its `scores`, counted as it was written: what was left out of
    it afterwards counts against it. A refusal has no sentence.
    """

    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    kinds: ClassVar[tuple[str, ...]] = ("answer", "chat", "write")
    needs: ClassVar[tuple[str, ...]] = ("supported_sentences", "sentences")

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """Supported and all sentences; of shape [2]. Raises UserError where an answer was held to no passage."""
        return reported(answer, self.needs, "groundedness")

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 2]; `count` is not needed. 0 where there are no sentences."""
        return per_case(sums[:, 0], sums[:, 1])

    def combine(self, rows: Row) -> float:
        """The figure of rows of shape [answers, 2]."""
        return figure(self.of_sums, rows)
