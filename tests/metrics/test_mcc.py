"""Correlation of predicted and true label."""

import numpy as np
import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Answer
from dragoman.metrics.mcc import Mcc


def figure(labels: tuple[str, ...], pairs: str) -> float:
    metric = Mcc(labels)
    return metric.combine(np.stack([metric.measure(Answer(pair[1]), (pair[0],)) for pair in pairs.split()]))


def test_from_perfect_to_reversed() -> None:
    assert figure(("a", "b"), "aa bb aa bb") == pytest.approx(1.0)
    assert figure(("a", "b"), "ab ba ab ba") == pytest.approx(-1.0)
    assert figure(("a", "b"), "aa ab ba bb") == pytest.approx(0.0)


def test_one_answer_for_everything_is_worth_nothing() -> None:
    assert figure(("a", "b", "c"), "aa ba ca aa") == 0.0
    assert figure(("a", "b"), "aa aa") == 0.0


def test_several_labels_have_no_mcc() -> None:
    with pytest.raises(UserError, match="one label a row"):
        Mcc(("a", "b")).measure(Answer("", ("a", "b")), ("a",))
    with pytest.raises(UserError, match="one label a row"):
        Mcc(("a", "b")).measure(Answer("", ("a",)), ())
