"""Words that an answer shares with a reference."""

import pytest

from dragoman.core.types import Answer
from dragoman.metrics.token_f1 import TokenF1


@pytest.mark.parametrize(
    ("said", "references", "expected"),
    [
        ("The red car", ("a red bus",), 0.5),
        ("red red", ("red",), 2 / 3),
        ("red", ("blue", "dark red"), 2 / 3),
        ("the", ("a",), 1.0),
        ("", ("red",), 0.0),
        ("red", (), 0.0),
    ],
)
def test_shared_words(said: str, references: tuple[str, ...], expected: float) -> None:
    assert TokenF1().measure(Answer(said), references)[0] == pytest.approx(expected)
