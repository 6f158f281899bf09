"""How many runs of characters the answers share with their references, over the whole set of rows."""

import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dragoman.core.doors import Row
from dragoman.core.errors import UserError
from dragoman.core.types import Answer
from dragoman.metrics._text import figure, ngrams, per_case

__all__ = ["Chrf"]

CHARACTERS = 6
RECALL = 4.0  # beta squared: with beta = 2, recall weighs twice as much as precision
PUNCTUATION = frozenset(string.punctuation)


@dataclass(frozen=True)
class Chrf:
    """The F-score of runs of 1 to 6 characters, white space left out (chrF2; Popovic, 2015), over the whole set.

    From 0 to 1, where papers write 0 to 100. With `word_order=2` runs of one and two words count too (chrF++; Popovic,
    2017). It needs no words and so fits every language. Of several references the best of each row counts.
    """

    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    trials: ClassVar[float] = 50.0
    kinds: ClassVar[tuple[str, ...]] = ("translate", "summarize", "write", "chat")

    word_order: int = 0
    "The longest run of words that counts too; 2 makes it chrF++."

    lowercase: bool = False
    "Whether case does not count."

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """Runs written, wanted and matched of each order; of shape [3 * orders], against the best reference."""
        if not references:
            raise UserError("chrf needs a reference, and a row has none", "give each row its reference")
        written = self._runs(answer.text)
        rows = np.stack([_matches(written, self._runs(reference)) for reference in references])
        return np.asarray(rows[int(self.of_sums(rows, np.ones(len(rows))).argmax())], dtype=np.float64)

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 3 * orders]; `count` is not needed."""
        written, wanted, matched = np.moveaxis(sums.reshape(len(sums), -1, 3), 2, 0)
        both = (written > 0) & (wanted > 0)
        orders = both.sum(axis=1)
        precision = per_case((per_case(matched, written) * both).sum(axis=1), orders)
        recall = per_case((per_case(matched, wanted) * both).sum(axis=1), orders)
        return per_case((1 + RECALL) * precision * recall, RECALL * precision + recall)

    def combine(self, rows: Row) -> float:
        """The figure of rows of shape [answers, 3 * orders]."""
        return figure(self.of_sums, rows)

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        """How the figure was made, in sacreBLEU's words, so that it can be compared: nrefs:1|case:mixed|..."""
        counts = {len(texts) for texts in references}
        many = str(counts.pop()) if len(counts) == 1 else "var"
        case = "lc" if self.lowercase else "mixed"
        return f"nrefs:{many}|case:{case}|eff:yes|nc:{CHARACTERS}|nw:{self.word_order}|space:no"

    def _runs(self, text: str) -> list[Counter[tuple[str, ...]]]:
        """How often each run of each order occurs: of characters, then of words."""
        text = text.lower() if self.lowercase else text
        letters = "".join(text.split())
        words = _words(text) if self.word_order else []
        of_words = [ngrams(words, order) for order in range(1, self.word_order + 1)]
        return [*(ngrams(letters, order) for order in range(1, CHARACTERS + 1)), *of_words]


def _words(text: str) -> list[str]:
    """The words of a text; a mark at the end of a word, or else at its start, is a word of its own."""
    found: list[str] = []
    for word in text.split():
        if len(word) > 1 and word[-1] in PUNCTUATION:
            found += [word[:-1], word[-1]]
        elif len(word) > 1 and word[0] in PUNCTUATION:
            found += [word[0], word[1:]]
        else:
            found.append(word)
    return found


def _matches(written: list[Counter[tuple[str, ...]]], wanted: list[Counter[tuple[str, ...]]]) -> Row:
    """Runs written, wanted and matched of each order, in one row; written ones count only where some are wanted."""
    row = [
        (mine.total() if theirs else 0, theirs.total(), (mine & theirs).total())
        for mine, theirs in zip(written, wanted, strict=True)
    ]
    return np.array(row, dtype=np.float64).ravel()
