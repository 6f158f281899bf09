"""A worked example, the best of several references, stems, and the empty text; equality stands in tests/parity."""

import pytest

from dragoman.core.types import Answer
from dragoman.metrics.rouge1 import Rouge1


def test_a_worked_example() -> None:
    assert Rouge1().measure(Answer("the cat sat"), ("the cat",))[0] == pytest.approx(0.8)
    assert Rouge1().measure(Answer("the cat"), ("cat the",))[0] == pytest.approx(1.0)


def test_the_best_reference_counts() -> None:
    assert Rouge1().measure(Answer("The cat!"), ("a dog", "the cat")).tolist() == [1.0]


def test_stems() -> None:
    assert Rouge1().measure(Answer("running quickly"), ("runs quickly",))[0] < 1.0
    assert Rouge1(stemmer=True).measure(Answer("walking quickly"), ("walks quickly",))[0] == 1.0


def test_nothing_said() -> None:
    metric = Rouge1()
    rows = [metric.measure(Answer(text), ("a dog",))[0] for text in ("", "...")]
    assert rows == [0.0, 0.0]
