"""A worked example, the best of several references, stems, and the empty text; equality stands in tests/parity."""

import pytest

from dragoman.core.types import Answer
from dragoman.metrics.rouge2 import Rouge2


def test_a_worked_example() -> None:
    assert Rouge2().measure(Answer("the cat sat"), ("the cat",))[0] == pytest.approx(0.6666666666666666)
    assert Rouge2().measure(Answer("the cat"), ("cat the",))[0] == pytest.approx(0.0)


def test_the_best_reference_counts() -> None:
    assert Rouge2().measure(Answer("The cat!"), ("a dog", "the cat")).tolist() == [1.0]


def test_stems() -> None:
    assert Rouge2().measure(Answer("running quickly"), ("runs quickly",))[0] < 1.0
    assert Rouge2(stemmer=True).measure(Answer("walking quickly"), ("walks quickly",))[0] == 1.0


def test_nothing_said() -> None:
    metric = Rouge2()
    rows = [metric.measure(Answer(text), ("a dog",))[0] for text in ("", "...")]
    assert rows == [0.0, 0.0]
