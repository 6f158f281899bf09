"""How many tokens the model wavered between, on average, at each token of the reference text."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dragoman.core.doors import Row
from dragoman.core.types import Answer
from dragoman.metrics._text import figure, per_case, reported

__all__ = ["Perplexity"]


@dataclass(frozen=True)
class Perplexity:
    """e to the nats a token: all nats of all rows over all tokens, never a mean of means.

    An answer tells in its `scores` what its reference text cost the model: `nats`, summed over its `tokens`. Two
    tokenizers cut one text into different tokens: across models compare bits_per_byte. No target can name it: what an
    assistant answers does not tell it.
    """

    higher_is_better: ClassVar[bool] = False
    kinds: ClassVar[tuple[str, ...]] = ("write", "chat", "summarize", "translate", "answer")
    needs: ClassVar[tuple[str, ...]] = ("nats", "tokens")

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """Nats and tokens; of shape [2]. Raises UserError where the answer does not carry them."""
        return reported(answer, self.needs, "perplexity")

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 2]; `count` is not needed. 1 where there were no tokens."""
        return np.exp(per_case(sums[:, 0], sums[:, 1]))

    def combine(self, rows: Row) -> float:
        """The figure of rows of shape [answers, 2]."""
        return figure(self.of_sums, rows)
