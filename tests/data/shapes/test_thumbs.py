"""One answer with a thumb, as a dialogue or as prompt and completion."""

from typing import Any

import pytest

from dragoman.data.shapes.chat import Chat
from dragoman.data.shapes.thumbs import Thumbs
from dragoman.data.shaping import Wanted
from tests.data.shapes.reading import notes, refused, schema, shaped, turns

ASKED, SAID = {"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Good day."}
DIALOGUE = {"messages": [ASKED, SAID], "label": True}
APART = {"prompt": "Hello.", "completion": "Good day.", "label": False}


@pytest.mark.parametrize(
    ("row", "good"),
    [
        (DIALOGUE, True),
        (APART, False),
        ({**APART, "prompt": [ASKED], "completion": [SAID], "label": True}, True),
        ({**APART, "label": "true"}, True),
        ({**APART, "label": 1.0}, True),
        ({"prompt": "Hello.", "response": "Good day.", "thumbs": "down"}, False),
        ({"instruction": "Hello.", "input": "", "output": "Good day.", "label": "-1"}, False),
    ],
)
def test_every_form_gives_the_same_example(row: dict[str, Any], good: bool) -> None:
    assert Thumbs.fits(schema(row)) > Chat.fits(schema(row))
    assert Thumbs.fits(schema(row)) > 0.9
    shape, _ = Thumbs.choose(schema(row), Wanted())
    example = shaped(shape, row)
    assert (turns(example), example.answers, example.rejected) == ([("user", "Hello.")], ("Good day.",), "")
    assert example.meta["good"] is good
    assert notes(shape, row) == (() if good else ("disliked-answer",))


def test_what_is_no_thumb() -> None:
    assert Thumbs.fits(schema({**APART, "label": "sports"})) == 0.0
    assert Thumbs.fits(schema({"text": "a", "label": True})) == 0.0
    assert Thumbs.fits(schema({"question": "a", "answer": "b", "label": 1})) == 0.0  # to classify, as WikiQA is


def test_an_instruction_with_its_input() -> None:
    row = {"instruction": "Greet.", "input": "Ann", "output": "Good day.", "label": True}
    shape, _ = Thumbs.choose(schema(row), Wanted())
    assert shaped(shape, row).text == "Greet.\n\nAnn"


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({**DIALOGUE, "label": "perhaps"}, "unknown-thumb"),
        ({**DIALOGUE, "label": None}, "missing-value"),
        ({**DIALOGUE, "messages": None}, "missing-value"),
        ({**DIALOGUE, "messages": []}, "empty-answer"),
        ({**DIALOGUE, "messages": [SAID]}, "no-question"),
        ({**DIALOGUE, "messages": [ASKED]}, "empty-answer"),
        ({**DIALOGUE, "messages": [{"role": "nobody", "content": "x"}]}, "unknown-role"),
    ],
)
def test_what_is_refused(row: dict[str, Any], name: str) -> None:
    assert refused(Thumbs(), row) == name


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"completion": ""}, "empty-answer"),
        ({"completion": 4}, "wrong-type"),
        ({"completion": None}, "missing-value"),
        ({"completion": [ASKED]}, "empty-answer"),
        ({"prompt": ""}, "empty-text"),
    ],
)
def test_what_is_refused_of_two_columns(more: dict[str, Any], name: str) -> None:
    assert refused(Thumbs("", "prompt", completion="completion"), {**APART, **more}) == name
