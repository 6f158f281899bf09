"""The share of answers that are JSON, with the keys that must be there."""

import json
from dataclasses import dataclass
from typing import ClassVar, Never

import numpy as np

from dragoman.core.doors import Row
from dragoman.core.types import Answer
from dragoman.metrics._text import figure, mean

__all__ = ["ValidJson"]


@dataclass(frozen=True)
class ValidJson:
    """The share of answers that parse as JSON (RFC 8259) and hold every key of `schema`.

    The whole answer must be JSON: a sentence before it, a fence around it, NaN and Infinity make it none.
    """

    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    kinds: ClassVar[tuple[str, ...]] = ("chat", "write")

    schema: tuple[str, ...] = ()
    "Keys that the answer must have, and then it must be an object; none asks only that it parses."

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """1 where the answer is JSON with its keys, else 0; of shape [1]. References do not count."""
        try:
            held = json.loads(answer.text, parse_constant=_refuse)
        except (ValueError, RecursionError):  # no JSON, or nested deeper than anyone reads it
            return np.zeros(1)
        return np.array([float(not self.schema or (isinstance(held, dict) and held.keys() >= set(self.schema)))])

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 1] over `count` rows each."""
        return mean(sums, count)

    def combine(self, rows: Row) -> float:
        """The mean of rows of shape [answers, 1]."""
        return figure(self.of_sums, rows)


def _refuse(word: str) -> Never:
    """NaN, Infinity and -Infinity are Python's, not JSON's."""
    raise ValueError(f"{word} is no JSON")
