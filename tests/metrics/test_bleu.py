"""BLEU of a whole set of rows, and how it was counted."""

import math

import numpy as np
import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Answer
from dragoman.metrics.bleu import Bleu


def test_rows_are_counts() -> None:
    row = Bleu().measure(Answer("the the cat"), ("the cat sat.",))
    assert row.tolist() == [2, 1, 0, 0, 3, 2, 1, 0, 3, 4]


def test_the_figure_comes_from_sums() -> None:
    metric = Bleu()
    good = metric.measure(Answer("a b c d e"), ("a b c d e",))
    short = metric.measure(Answer("a b c d"), ("a b c d e",))
    assert metric.combine(np.stack([good])) == pytest.approx(1.0)
    assert metric.combine(np.stack([short])) == pytest.approx(math.exp(-1 / 4))
    assert metric.combine(np.stack([good, short])) == pytest.approx(math.exp(1 - 10 / 9))
    both = metric.of_sums(np.stack([good, short]), np.ones(2))
    assert both == pytest.approx([1.0, math.exp(-1 / 4)])


def test_an_order_without_a_match_is_smoothed() -> None:
    row = Bleu().measure(Answer("a b x y z"), ("a b c d e",))
    expected = (2 / 5 * 1 / 4 * (1 / 2) / 3 * (1 / 4) / 2) ** 0.25
    assert Bleu().combine(row[None]) == pytest.approx(expected)


@pytest.mark.parametrize("said", ["", "x y z u v", "a b c"])
def test_nothing_shared_or_too_short(said: str) -> None:
    assert Bleu().combine(Bleu().measure(Answer(said), ("a b c d e",))[None]) == 0.0


def test_the_nearest_length_and_the_shorter_of_two() -> None:
    row = Bleu().measure(Answer("a b c"), ("a b c d", "a b"))
    assert row[-1] == 2


def test_words_by_the_rules_asked_for() -> None:
    assert Bleu(tokens="none").measure(Answer("a, b"), ("a , b",))[0] == 1
    assert Bleu().measure(Answer("a, b"), ("a , b",))[0] == 3
    assert Bleu(tokens="char").measure(Answer("日本"), ("日本語",))[0] == 2
    assert Bleu(lowercase=True).measure(Answer("A"), ("a",))[0] == 1


def test_the_signature() -> None:
    assert Bleu().signature([("a",), ("b",)]) == "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp"
    said = Bleu(tokens="char", lowercase=True).signature([("a",), ("b", "c")])
    assert said == "nrefs:var|case:lc|eff:no|tok:char|smooth:exp"


def test_a_row_without_reference() -> None:
    with pytest.raises(UserError, match="bleu needs a reference"):
        Bleu().measure(Answer("a"), ())
