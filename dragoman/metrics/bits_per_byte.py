"""How many bits the model needs for each byte of the reference text."""

import math
from dataclasses import dataclass
from typing import ClassVar

from dragoman.core.doors import Row
from dragoman.core.types import Answer
from dragoman.metrics._text import figure, per_case, reported

__all__ = ["BitsPerByte"]


@dataclass(frozen=True)
class BitsPerByte:
    """All nats of all rows over ln 2 and over all UTF-8 bytes: the one figure of surprise that compares tokenizers.

    An answer tells in its `scores` what its reference text cost the model: `nats`, and its length in `bytes`. A model
    that holds all 256 bytes equally likely shows 8, however the text is cut into tokens. No target can name it: what an
    assistant answers does not tell it.
    """

    higher_is_better: ClassVar[bool] = False
    kinds: ClassVar[tuple[str, ...]] = ("write", "chat", "summarize", "translate", "answer")
    needs: ClassVar[tuple[str, ...]] = ("nats", "bytes")

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """Nats and bytes; of shape [2]. Raises UserError where the answer does not carry them."""
        return reported(answer, self.needs, "bits_per_byte")

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 2]; `count` is not needed. 0 where there were no bytes."""
        return per_case(sums[:, 0], math.log(2.0) * sums[:, 1])

    def combine(self, rows: Row) -> float:
        """The figure of rows of shape [answers, 2]."""
        return figure(self.of_sums, rows)
