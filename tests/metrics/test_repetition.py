"""Runs of four words that were there before."""

import pytest

from dragoman.core.types import Answer
from dragoman.metrics.repetition import Repetition


@pytest.mark.parametrize(
    ("said", "expected"),
    [("a b c d e f", 0.0), ("a b c d a b c d", 0.2), ("no " * 103, 0.99), ("a b c", 0.0), ("", 0.0)],
)
def test_the_share(said: str, expected: float) -> None:
    assert Repetition().measure(Answer(said), ())[0] == pytest.approx(expected)
