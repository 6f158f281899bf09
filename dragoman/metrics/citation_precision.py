"""How many of the citations that were written are right."""

from dataclasses import dataclass
from typing import ClassVar

from dragoman.core.doors import Row
from dragoman.core.types import Answer
from dragoman.metrics._text import figure, per_case, reported

__all__ = ["CitationPrecision"]


@dataclass(frozen=True)
class CitationPrecision:
    """Right citations over all citations and quotations (Gao et al. 2023, 2305.14627), of all answers together.

    Wrong is one of a passage that was not given, a quotation that stands in none, and, where answers are held to their
    passages, one whose passage does not say it. They are counted as the model wrote them, before they were put right.
    """

    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    kinds: ClassVar[tuple[str, ...]] = ("answer", "chat", "write")
    needs: ClassVar[tuple[str, ...]] = ("right_citations", "citations")

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """Right and all citations; of shape [2]. Raises UserError where nobody checked them."""
        return reported(answer, self.needs, "citation_precision")

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 2]; `count` is not needed. 0 where nothing is cited."""
        return per_case(sums[:, 0], sums[:, 1])

    def combine(self, rows: Row) -> float:
        """The figure of rows of shape [answers, 2]."""
        return figure(self.of_sums, rows)
