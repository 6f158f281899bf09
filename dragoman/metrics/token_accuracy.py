"""The share of words that carry the right tag."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dragoman.core.doors import Row
from dragoman.core.types import Answer
from dragoman.metrics._tags import tags_of
from dragoman.metrics._text import figure, per_case

__all__ = ["TokenAccuracy"]


@dataclass(frozen=True)
class TokenAccuracy:
    """The share of words over all rows whose tag is right; mostly words outside, so read entity_f1 first."""

    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    kinds: ClassVar[tuple[str, ...]] = ("tag",)

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """Words tagged right, and words; of shape [2]. References are one tag a word."""
        pairs = zip(tags_of(answer, len(references)), references, strict=True)
        return np.array([sum(given == true for given, true in pairs), len(references)], dtype=np.float64)

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 2]; `count` is not needed."""
        return per_case(sums[:, 0], sums[:, 1])

    def combine(self, rows: Row) -> float:
        """The figure of rows of shape [answers, 2]."""
        return figure(self.of_sums, rows)
