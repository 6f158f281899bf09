"""Nats a token, over all tokens of all rows."""

import math

import numpy as np
import pytest

from dragoman.core.types import Answer
from dragoman.metrics.perplexity import Perplexity


def test_no_mean_of_means() -> None:
    metric = Perplexity()
    given = [{"nats": 10 * math.log(2), "tokens": 10.0}, {"nats": math.log(512), "tokens": 1.0}]
    rows = np.stack([metric.measure(Answer("", (), scores), ()) for scores in given])
    assert metric.combine(rows) == pytest.approx(2 ** (19 / 11))
    assert metric.combine(rows[:1]) == pytest.approx(2.0)
    assert metric.combine(rows[1:]) == pytest.approx(512.0)
