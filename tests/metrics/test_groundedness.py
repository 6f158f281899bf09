"""Supported sentences over all of them."""

import numpy as np
import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Answer
from dragoman.metrics.groundedness import Groundedness


def test_sentences_are_summed_over_answers() -> None:
    said = [(3.0, 4.0), (1.0, 1.0), (0.0, 0.0)]
    metric = Groundedness()
    rows = np.array(
        [metric.measure(Answer("x", scores={"supported_sentences": a, "sentences": b}), ()) for a, b in said]
    )
    assert metric.combine(rows) == pytest.approx(0.8)
    assert metric.combine(rows[2:]) == 0.0


def test_an_answer_that_was_held_to_nothing() -> None:
    with pytest.raises(UserError, match="groundedness needs the supported_sentences and sentences"):
        Groundedness().measure(Answer("x"), ())
