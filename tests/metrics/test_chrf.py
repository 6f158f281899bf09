"""Runs of characters over a whole set of rows."""

import numpy as np
import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Answer
from dragoman.metrics.chrf import Chrf


def test_rows_are_counts() -> None:
    row = Chrf().measure(Answer("a b"), ("abc",))
    assert row.tolist() == [2, 3, 2, 1, 2, 1, 0, 1, 0, *([0] * 9)]


def test_recall_weighs_more() -> None:
    row = Chrf().measure(Answer("ab"), ("abc",))
    precision, recall = 1.0, (2 / 3 + 1 / 2) / 2
    assert Chrf().combine(row[None]) == pytest.approx(5 * precision * recall / (4 * precision + recall))


def test_any_language_and_words_where_asked() -> None:
    row = Chrf().measure(Answer("日本語"), ("日本語",))
    assert Chrf().combine(row[None]) == 1.0
    metric = Chrf(word_order=2)
    row = metric.measure(Answer("(one) two!"), ("(one) two!",))
    assert row[18:].tolist() == [4, 4, 4, 3, 3, 3]
    assert metric.combine(np.stack([row, row])) == 1.0
    assert Chrf(lowercase=True).combine(Chrf(lowercase=True).measure(Answer("AB"), ("ab",))[None]) == 1.0


def test_the_best_reference_and_none() -> None:
    metric = Chrf()
    assert metric.combine(metric.measure(Answer("ab"), ("xy", "ab"))[None]) == 1.0
    assert metric.combine(metric.measure(Answer(""), ("ab",))[None]) == 0.0
    with pytest.raises(UserError, match="chrf needs a reference"):
        metric.measure(Answer("a"), ())


def test_the_signature() -> None:
    assert Chrf().signature([("a",)]) == "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no"
    assert Chrf(2, True).signature([("a", "b")]) == "nrefs:2|case:lc|eff:yes|nc:6|nw:2|space:no"
