"""The text of an outcome: the variable `answer` before what was printed, whole numbers without a fraction."""

from typing import Any

import pytest

from dragoman.app.sandbox.outcome import Outcome


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.0, "3"), (-2.5, "-2.5"), (1e20, "1e+20"), (True, "True"), (None, "None"), (" a ", "a"), ([1.0, "b"], "1, b")],
)
def test_an_answer(value: Any, text: str) -> None:
    assert Outcome(True, value, answered=True, printed="other\n").text == text


@pytest.mark.parametrize(("printed", "text"), [("a\n b \n\n", "b"), ("", ""), ("\n \n", "")])
def test_what_was_printed(printed: str, text: str) -> None:
    assert Outcome(True, printed=printed).text == text
