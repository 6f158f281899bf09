"""Every label counts alike, however rare."""

import numpy as np
import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Answer
from dragoman.metrics.macro_f1 import MacroF1

METRIC = MacroF1(("a", "b", "c"))


def rows(pairs: str) -> np.ndarray:
    """Rows of pairs such as `aa ab`: the true label, then the predicted one."""
    return np.stack([METRIC.measure(Answer(pair[1]), (pair[0],)) for pair in pairs.split()])


def test_a_label_that_is_absent_counts_as_nothing() -> None:
    assert METRIC.combine(rows("aa bb")) == pytest.approx(2 / 3)
    assert METRIC.combine(rows("aa bb cc")) == 1.0


def test_mean_of_f1_not_f1_of_means() -> None:
    assert METRIC.combine(rows("aa aa ab bb bc")) == pytest.approx((0.8 + 0.5 + 0.0) / 3)


def test_sums_are_as_good_as_rows() -> None:
    found = rows("aa ab bb bc ca cc")
    sums = np.stack([found.sum(axis=0), found[:3].sum(axis=0)])
    both = METRIC.of_sums(sums, np.array([6.0, 3.0]))
    assert both[0] == METRIC.combine(found)
    assert both[1] == METRIC.combine(found[:3])


def test_a_strange_true_label_is_named() -> None:
    with pytest.raises(UserError, match="'z' is not among the labels"):
        METRIC.measure(Answer("a"), ("z",))
    with pytest.raises(ValueError, match="before its labels"):
        MacroF1().measure(Answer("a"), ("a",))
