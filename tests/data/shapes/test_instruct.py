"""Instructions: with and without an input, a system message or earlier turns."""

from typing import Any

import pytest

from dragoman.core.errors import UserError
from dragoman.core.project import Columns
from dragoman.data.shapes.instruct import Instruct
from dragoman.data.shaping import Wanted
from tests.data.shapes.reading import refused, schema, shaped, turns

ROW = {"instruction": "Rank these.", "input": "b\na", "output": " 1. a\n2. b "}


def test_the_input_stands_behind_a_blank_line() -> None:
    example = shaped(Instruct(), ROW)
    assert (turns(example), example.answers) == ([("user", "Rank these.\n\nb\na")], ("1. a\n2. b",))
    assert turns(shaped(Instruct(), {**ROW, "input": " "})) == [("user", "Rank these.")]


def test_a_system_message_and_earlier_turns_come_first() -> None:
    shape = Instruct(system="system", history="history")
    example = shaped(shape, {**ROW, "system": "Be kind.", "history": [["Hello.", "Hi."]]})
    assert turns(example)[:3] == [("system", "Be kind."), ("user", "Hello."), ("assistant", "Hi.")]


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"instruction": ""}, "empty-text"),
        ({"instruction": 1}, "wrong-type"),
        ({"instruction": None}, "missing-value"),
        ({"input": ["a"]}, "wrong-type"),
        ({"output": ""}, "empty-answer"),
        ({"output": []}, "empty-answer"),
        ({"output": {"a": 1}}, "wrong-type"),
        ({"output": None}, "missing-value"),
        ({"history": [["a"]]}, "wrong-type"),
    ],
)
def test_what_is_refused(more: dict[str, Any], name: str) -> None:
    assert refused(Instruct(history="history"), {**ROW, **more}) == name


def test_the_columns_are_found() -> None:
    dolly = schema({"instruction": "a", "context": "b", "response": "c", "category": "d"})
    assert Instruct.fits(dolly) > 0.9
    assert Instruct.choose(dolly, Wanted())[0] == Instruct("instruction", "context", "response")
    assert Instruct.choose(dolly, Wanted(Columns(label="category")))[0].output == "category"
    with pytest.raises(UserError, match="no column holds the answer"):
        Instruct.choose(schema({"instruction": "a"}), Wanted())
