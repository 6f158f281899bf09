"""What lies behind the figures."""

import numpy as np

from dragoman.core.types import Answer
from dragoman.evals.details import confused_pairs, confusion, reliability, samples
from dragoman.evals.prediction import Prediction
from dragoman.metrics.ece import Ece
from tests.evals.rows import LABELS, predictions


def test_confusion_matrix() -> None:
    rows = [*predictions("aa ab ba cc cc"), Prediction("9", "", ("a",), Answer("nonsense"))]
    assert confusion(rows, LABELS).tolist() == [[1, 1, 0, 1], [1, 0, 0, 0], [0, 0, 2, 0]]


def test_confusion_of_several_labels() -> None:
    rows = [Prediction("1", "", ("a", "b"), Answer("", ("a", "c"))), Prediction("2", "", (), Answer("", ("a",)))]
    assert confusion(rows, LABELS, multi_label=True).tolist() == [[1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 0, 1]]


def test_reliability_curve() -> None:
    random = np.random.default_rng(0)
    confidence = random.random(200)
    rows = np.stack([confidence, (random.random(200) < confidence).astype(float)], axis=1)
    bins = reliability(rows, Ece(LABELS))
    assert len(bins) == 10
    assert sum(point.n for point in bins) == 200
    assert all(point.low <= point.right <= point.high for point in bins)
    assert [point.confidence for point in bins] == sorted(point.confidence for point in bins)


def test_best_and_worst() -> None:
    rows = [*predictions("aa ab", 0.6), *predictions("bb bc", 0.9), *predictions("cc", 0.7)]
    best, worst = samples(rows, 2)
    assert [sample.confidence for sample in best] == [0.9, 0.7]
    assert [(sample.references, sample.labels) for sample in worst] == [(("b",), ("c",)), (("a",), ("b",))]


def test_confused_pairs() -> None:
    pairs = confused_pairs(predictions("aa ab ab ab ba cc"), count=2)
    assert [(pair.true, pair.taken, pair.count, pair.rows) for pair in pairs] == [("a", "b", 3, 4), ("b", "a", 1, 1)]
    assert pairs[0].share == 0.75
    assert len(pairs[0].examples) == 3
    several = confused_pairs([Prediction("1", "", ("a", "b"), Answer("", ("b", "c")))])
    assert [(pair.true, pair.taken) for pair in several] == [("a", "c")]
    assert confused_pairs(predictions("aa bb")) == ()
