"""Surprise in nats."""

import math

import numpy as np
import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Answer
from dragoman.metrics.log_loss import LogLoss


def test_the_probability_of_the_truth() -> None:
    metric = LogLoss(("a", "b"))
    row = metric.measure(Answer("b", ("b",), {"a": 0.25, "b": 0.75}), ("a",))
    assert row[0] == pytest.approx(math.log(4))
    assert metric.combine(np.array([[1.0], [3.0]])) == 2.0


def test_a_certain_mistake_is_dear_but_finite() -> None:
    row = LogLoss(("a", "b")).measure(Answer("b", ("b",), {"a": 0.0, "b": 1.0}), ("a",))
    assert row[0] == pytest.approx(36.04, abs=0.01)


def test_several_labels() -> None:
    metric = LogLoss(("a", "b"), multi_label=True)
    row = metric.measure(Answer("", ("a",), {"a": 0.9, "b": 0.2}), ("a",))
    assert row[0] == pytest.approx(-(math.log(0.9) + math.log(0.8)) / 2)
    assert metric.measure(Answer("", (), {"a": 0.1, "b": 0.1}), ())[0] == pytest.approx(-math.log(0.9))


def test_text_alone_has_no_probabilities() -> None:
    with pytest.raises(UserError, match="needs the probability") as caught:
        LogLoss(("a",)).measure(Answer("a"), ("a",))
    assert "accuracy" in caught.value.hint
