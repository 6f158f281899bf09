"""How many entities were found whole: right kind, right first word, right last word."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dragoman.core.doors import Row
from dragoman.core.types import Answer
from dragoman.metrics._tags import entities, tags_of
from dragoman.metrics._text import figure, per_case

__all__ = ["EntityF1"]


@dataclass(frozen=True)
class EntityF1:
    """F1 of whole entities over all rows and kinds (CoNLL-2003), from one tag a word such as B-PER, I-PER and O.

    An entity counts only where its kind and both its ends are right. A broken row of tags is read leniently, as
    seqeval reads it by default: I-PER behind O begins an entity. 0 where nothing is found and nothing was there.
    """

    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    kinds: ClassVar[tuple[str, ...]] = ("tag",)

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """Entities right, found and true; of shape [3]. References are one tag a word."""
        found, true = entities(tags_of(answer, len(references))), entities(references)
        return np.array([len(found & true), len(found), len(true)], dtype=np.float64)

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 3]; `count` is not needed."""
        return per_case(2.0 * sums[:, 0], sums[:, 1] + sums[:, 2])

    def combine(self, rows: Row) -> float:
        """The figure of rows of shape [answers, 3]."""
        return figure(self.of_sums, rows)
