"""Answers that ended by themselves."""

import numpy as np
import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Answer
from dragoman.metrics.stopped import Stopped


def test_the_share_that_stopped() -> None:
    metric = Stopped()
    rows = [metric.measure(Answer("x", finish=finish), ()) for finish in ("stop", "length", "stop", "stop")]
    assert metric.combine(np.stack(rows)) == 0.75


def test_an_answer_that_does_not_tell() -> None:
    with pytest.raises(UserError, match="how an answer ended"):
        Stopped().measure(Answer("x"), ())
