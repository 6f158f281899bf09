"""The same answer, but for case, punctuation and articles."""

import numpy as np
import pytest

from dragoman.core.types import Answer
from dragoman.metrics.exact_match import ExactMatch


@pytest.mark.parametrize(
    ("said", "references", "expected"),
    [
        ("The  Eiffel-Tower!", ("eiffeltower",), 1.0),
        ("a cat", ("dog", "Cat."), 1.0),
        ("cats", ("cat",), 0.0),
        ("", (), 1.0),
        ("something", (), 0.0),
        ("theatre", ("atre",), 0.0),
    ],
)
def test_equal_enough(said: str, references: tuple[str, ...], expected: float) -> None:
    assert ExactMatch().measure(Answer(said), references).tolist() == [expected]


def test_the_share() -> None:
    assert ExactMatch().combine(np.array([[1.0], [0.0], [0.0], [1.0]])) == 0.5
