"""The share of rows answered exactly right."""

import numpy as np
import pytest

from dragoman.core.types import Answer
from dragoman.metrics.accuracy import Accuracy


def test_sets_must_be_equal() -> None:
    metric = Accuracy(("a", "b", "c"))
    assert metric.measure(Answer("", ("a", "b")), ("b", "a"))[0] == 1.0
    assert metric.measure(Answer("", ("a",)), ("b", "a"))[0] == 0.0
    assert metric.measure(Answer("", ()), ())[0] == 1.0


def test_text_counts_where_no_label_was_chosen() -> None:
    metric = Accuracy(("a", "b"))
    assert metric.measure(Answer(" a "), ("a",))[0] == 1.0
    assert metric.measure(Answer("an a"), ("a",))[0] == 0.0


def test_the_mean() -> None:
    assert Accuracy().combine(np.array([[1.0], [0.0], [1.0], [1.0]])) == 0.75
    with pytest.raises(ValueError, match="at least one answer"):
        Accuracy().combine(np.zeros((0, 1)))
