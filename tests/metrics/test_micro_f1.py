"""Every decision counts alike."""

import numpy as np
import pytest

from dragoman.core.types import Answer
from dragoman.metrics.accuracy import Accuracy
from dragoman.metrics.micro_f1 import MicroF1

LABELS = ("a", "b", "c")


def test_with_one_label_a_row_it_is_accuracy() -> None:
    random = np.random.default_rng(0)
    true, guess = random.choice(LABELS, 50), random.choice(LABELS, 50)
    micro, plain = MicroF1(LABELS), Accuracy(LABELS)
    pairs = [(Answer(str(text), (str(text),)), (str(label),)) for text, label in zip(guess, true, strict=True)]
    ours = micro.combine(np.stack([micro.measure(*pair) for pair in pairs]))
    assert ours == pytest.approx(plain.combine(np.stack([plain.measure(*pair) for pair in pairs])))


def test_several_labels() -> None:
    metric = MicroF1(LABELS)
    assert metric.measure(Answer("", ("a", "b")), ("b", "c")).tolist() == [1.0, 1.0, 1.0]
    assert metric.combine(np.array([[0.0, 0.0, 0.0]])) == 0.0
