"""What metrics of written text share: the references there must be, means of rows, and the best of several texts."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from dragoman.core.doors import Row
from dragoman.core.errors import UserError
from dragoman.core.types import Answer
from dragoman.metrics._counts import check_rows

__all__ = ["best", "figure", "mean", "ngrams", "per_case", "reported", "warning"]

STRANGE = 0.2  # the share of letters outside ASCII from which ROUGE no longer says anything


def best(score: Callable[[str], float], references: Sequence[str], metric: str) -> Row:
    """The highest score any reference gives, of shape [1]. Raises UserError where there is no reference."""
    if not references:
        raise UserError(
            f"{metric} needs a text to compare an answer with, and a row has none",
            "give each row its reference, or take a metric that needs none, such as repetition",
        )
    return np.array([max(score(reference) for reference in references)], dtype=np.float64)


def mean(sums: Row, count: Row) -> Row:
    """The mean of rows of width 1, from their sums of shape [cases, 1] over `count` rows each."""
    return sums[:, 0] / count


def per_case(above: Row, below: Row) -> Row:
    """Quotients of sums, of any shape; 0 where there is nothing to divide by."""
    shares: Row = np.divide(above, below, out=np.zeros(np.broadcast_shapes(above.shape, below.shape)), where=below > 0)
    return shares


def figure(of_sums: Callable[[Row, Row], Row], rows: Row) -> float:
    """The figure of rows of shape [answers, width] of a metric whose figure follows from their sum."""
    check_rows(rows)
    return float(of_sums(rows.sum(axis=0)[None], np.array([float(len(rows))]))[0])


def ngrams(items: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    """How often each run of `order` items occurs; empty where there are fewer items."""
    return Counter(zip(*(items[start:] for start in range(order)), strict=False))


def reported(answer: Answer, names: Sequence[str], metric: str) -> Row:
    """What an answer carries under these names of its scores. Raises UserError where one is missing."""
    absent = [name for name in names if name not in answer.scores]
    if absent:
        raise UserError(
            f"{metric} needs the {' and '.join(absent)} of each answer, and an answer does not carry them",
            "take it out of scope.target for an assistant that does not tell what its reference text cost",
        )
    return np.array([answer.scores[name] for name in names], dtype=np.float64)


def warning(texts: Sequence[str]) -> str:
    """What must be said before ROUGE is read for these texts; empty where nothing must.

    ROUGE as it is published knows the letters a-z and the digits alone: two equal Japanese texts score 0, and a word
    with an accent falls apart. Beyond a fifth of letters outside ASCII the figure is no longer one of quality.
    """
    letters = [letter for text in texts for letter in text if not letter.isspace()]
    share = sum(not letter.isascii() for letter in letters) / max(len(letters), 1)
    if share <= STRANGE:
        return ""
    return (
        f"{share:.0%} of the characters are outside ASCII, and ROUGE sees only a-z and digits: "
        "read chrf, or bleu with tokens='char', instead"
    )
