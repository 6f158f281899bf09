"""F1 of one label."""

import numpy as np
import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Answer
from dragoman.metrics.f1 import F1

LABELS = ("a", "b", "c")


def test_only_its_label_counts() -> None:
    metric = F1(LABELS, "b")
    pairs = ["aa", "bb", "bc", "cb", "bb"]
    rows = np.stack([metric.measure(Answer(pair[1]), (pair[0],)) for pair in pairs])
    assert metric.combine(rows) == pytest.approx(4 / 6)


def test_never_seen_and_never_predicted_is_nothing() -> None:
    assert F1(LABELS, "c").combine(F1(LABELS, "c").measure(Answer("a"), ("a",))[None]) == 0.0


def test_a_label_that_is_none() -> None:
    with pytest.raises(UserError, match="'z' is not among"):
        F1(LABELS, "z").measure(Answer("a"), ("a",))
