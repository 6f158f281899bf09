"""Entities found whole, over all rows."""

import numpy as np
import pytest

from dragoman.core.types import Answer
from dragoman.metrics.entity_f1 import EntityF1


def test_counts_and_their_f1() -> None:
    metric = EntityF1()
    first = metric.measure(Answer("", ("B-PER", "O", "B-LOC")), ("B-PER", "I-PER", "B-LOC"))
    second = metric.measure(Answer("B-LOC O O"), ("O", "O", "O"))
    assert (first.tolist(), second.tolist()) == ([1, 2, 2], [0, 1, 0])
    assert metric.combine(np.stack([first, second])) == pytest.approx(2 / 5)


def test_nothing_found_where_nothing_was() -> None:
    assert EntityF1().combine(EntityF1().measure(Answer("O"), ("O",))[None]) == 0.0
