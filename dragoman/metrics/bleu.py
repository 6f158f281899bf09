"""How many runs of one to four words the answers share with their references, over the whole set of rows."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from dragoman.core.doors import Row
from dragoman.core.errors import UserError
from dragoman.core.types import Answer
from dragoman.metrics._text import figure, ngrams, per_case

__all__ = ["Bleu"]

ORDERS = 4
# What mteval-v13a parts from the words, step by step: symbols; a full stop or comma with no digit before it; one with
# no digit behind it; a dash behind a digit.
PARTED = (
    (re.compile(r"([!-&(-+:-@/\[-`{-~ ])"), r" \1 "),
    (re.compile(r"([^0-9])([.,])"), r"\1 \2 "),
    (re.compile(r"([.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)
ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))  # in this order: &amp;lt; becomes <


@dataclass(frozen=True)
class Bleu:
    """BLEU of the whole set of rows (Papineni, 2002), counted as Post (2018) asks: say its `signature` beside it.

    From 0 to 1, where papers write 0 to 100. The geometric mean of the shares of 1- to 4-grams that a reference has,
    times a penalty for answers shorter than the nearest reference; it is no mean over rows, and of a single short row
    it says nothing. An order without a match counts as 1/2, 1/4, ... match (NIST's exponential smoothing).
    """

    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    trials: ClassVar[float] = 50.0
    kinds: ClassVar[tuple[str, ...]] = ("translate", "summarize", "write", "chat")

    tokens: Literal["13a", "none", "char"] = "13a"
    "What a word is: mteval-v13a's rules; what white space parts; or a character, for languages without spaces."

    lowercase: bool = False
    "Whether case does not count."

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """Matched runs of each order, written runs of each order, words written, words wanted; of shape [10]."""
        if not references:
            raise UserError("bleu needs a reference, and a row has none", "give each row its reference")
        written = self._words(answer.text)
        wanted = [self._words(reference) for reference in references]
        row = np.zeros(2 * ORDERS + 2)
        for order in range(1, ORDERS + 1):
            found = ngrams(written, order)
            most: Counter[tuple[str, ...]] = Counter()
            for text in wanted:
                most |= ngrams(text, order)
            row[order - 1] = (found & most).total()
            row[ORDERS + order - 1] = found.total()
        nearest = min((abs(len(text) - len(written)), len(text)) for text in wanted)[1]
        row[-2:] = len(written), nearest
        return row

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 10]; `count` is not needed."""
        matched, total = sums[:, :ORDERS], sums[:, ORDERS : 2 * ORDERS]
        written, wanted = sums[:, -2], sums[:, -1]
        missed = (matched == 0) & (total > 0)
        smoothed = np.where(missed, 0.5 ** np.cumsum(missed, axis=1), matched)
        shares = per_case(smoothed, total)
        some = (shares > 0).all(axis=1) & (matched > 0).any(axis=1)
        logs = np.log(shares, out=np.full_like(shares, -np.inf), where=shares > 0).mean(axis=1)
        short = np.minimum(0.0, 1.0 - np.divide(wanted, written, out=np.ones_like(wanted), where=written > 0))
        return np.where(some, np.exp(logs + short), 0.0)

    def combine(self, rows: Row) -> float:
        """The figure of rows of shape [answers, 10]."""
        return figure(self.of_sums, rows)

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        """How the figure was made, in sacreBLEU's words, so that it can be compared: nrefs:1|case:mixed|..."""
        counts = {len(texts) for texts in references}
        many = str(counts.pop()) if len(counts) == 1 else "var"
        return f"nrefs:{many}|case:{'lc' if self.lowercase else 'mixed'}|eff:no|tok:{self.tokens}|smooth:exp"

    def _words(self, text: str) -> list[str]:
        """What is counted of a text."""
        text = text.rstrip()
        text = text.lower() if self.lowercase else text
        if self.tokens == "char":
            return " ".join(text).split()
        return (_parted(text) if self.tokens == "13a" else text).split()


def _parted(text: str) -> str:
    """The text with spaces between words and punctuation, by the rules of mteval-v13a."""
    text = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for name, letter in ENTITIES:
        text = text.replace(name, letter)
    text = f" {text} "
    for shape, parts in PARTED:
        text = shape.sub(parts, text)
    return text
