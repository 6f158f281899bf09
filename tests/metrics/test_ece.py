"""Stated confidence against the share that is right, with the figure a perfect model would show."""

from itertools import pairwise

import numpy as np
import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Answer
from dragoman.metrics.ece import Ece

METRIC = Ece(("a", "b"))


def rows(confidence: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.stack([confidence, right.astype(float)], axis=1)


def test_rows_hold_confidence_and_outcome() -> None:
    assert METRIC.measure(Answer("b", ("b",), {"a": 0.3, "b": 0.7}), ("b",)).tolist() == [0.7, 1.0]
    assert METRIC.measure(Answer("b", ("b",), {"a": 0.3, "b": 0.7}), ("a",)).tolist() == [0.7, 0.0]
    several = Ece(("a", "b"), multi_label=True)
    assert several.measure(Answer("", ("a",), {"a": 0.9, "b": 0.2}), ("b",)).tolist() == [0.9, 0.2, 0.0, 1.0]
    with pytest.raises(UserError, match="probability of each label"):
        METRIC.measure(Answer("a"), ("a",))


def test_ten_bins_of_equal_mass() -> None:
    random = np.random.default_rng(0)
    confidence = random.random(103)
    right = random.random(103) < 0.5
    order = np.argsort(confidence)
    bounds = [number * 103 // 10 for number in range(11)]
    plain = sum(abs((confidence[order[low:high]] - right[order[low:high]]).sum()) for low, high in pairwise(bounds))
    assert METRIC.combine(rows(confidence, right)) == pytest.approx(plain / 103)
    sizes = [n for _, _, n in METRIC.curve(rows(confidence, right))]
    assert sum(sizes) == 103
    assert max(sizes) - min(sizes) <= 1


def test_equal_confidences_do_not_depend_on_order() -> None:
    confidence = np.full(100, 0.8)
    right = np.arange(100) < 80
    assert METRIC.combine(rows(confidence, right)) == pytest.approx(0.0, abs=1e-12)
    random = np.random.default_rng(0)
    mixed = rows(np.round(random.random(200), 1), random.random(200) < 0.5)
    figures = {round(METRIC.combine(random.permutation(mixed)), 12) for _ in range(20)}
    assert len(figures) == 1


def test_many_draws_at_once_are_as_one_by_one() -> None:
    random = np.random.default_rng(2)
    for metric, found in (
        (METRIC, rows(np.round(random.random(90), 1), random.random(90) < 0.5)),
        (Ece(("a", "b"), multi_label=True), np.round(random.random((60, 4)), 1)),
    ):
        counts = random.multinomial(len(found), np.full(len(found), 1 / len(found)), size=20)
        together = metric.of_counts(found, counts.astype(float))
        alone = [metric.combine(np.repeat(found, times, axis=0)) for times in counts]
        assert together == pytest.approx(alone, abs=1e-12)


def test_always_sure_and_always_wrong() -> None:
    assert METRIC.combine(rows(np.ones(20), np.zeros(20))) == 1.0
    assert METRIC.combine(rows(np.ones(3), np.ones(3))) == 0.0


@pytest.mark.parametrize(("count", "said"), [(100, 0.102), (300, 0.057), (1000, 0.032), (5000, 0.0144)])
def test_the_null_of_a_perfect_model(count: int, said: float) -> None:
    random = np.random.default_rng(1)
    confidence = random.random(count)
    null = METRIC.null(rows(confidence, confidence > 2))
    assert null.value == pytest.approx(said, abs=0.006)
    assert null.low < null.value < null.high
    perfect = [METRIC.combine(rows(confidence, random.random(count) < confidence)) for _ in range(500)]
    assert 0.92 < np.mean([null.low <= figure <= null.high for figure in perfect]) < 0.98


def test_several_labels_are_pairs_of_row_and_label() -> None:
    several = Ece(("a", "b"), multi_label=True)
    figure = several.combine(np.array([[1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 1.0, 0.0]]))
    assert figure == 0.0
    assert several.combine(np.array([[1.0, 1.0, 1.0, 0.0]])) == pytest.approx(0.5)
