"""Prompts and completions: texts, numbers and messages; labels that come back are left to another shape."""

from typing import Any

import pytest

from dragoman.data.shapes.completion import Completion
from dragoman.data.shaping import Wanted
from tests.data.shapes.reading import notes, refused, schema, shaped, turns

ROW = {"prompt": "Two and two?", "completion": " 4"}
ASKED = [{"role": "system", "content": "Count."}, {"role": "user", "content": "Two and two?"}]


def test_texts_numbers_and_several_answers() -> None:
    assert shaped(Completion(), ROW).answers == ("4",)
    assert shaped(Completion(), {**ROW, "completion": [4, 4.5, "four", "four"]}).answers == ("4", "4.5", "four")
    assert "number-as-text" in notes(Completion(), {**ROW, "completion": 4.0})


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("    if x:\n        y()\n", "    if x:\n        y()"),
        ("\n \n\tx\n\ty", "\tx\n\ty"),
        (" Two\nlines. ", "Two\nlines."),
        ("   one line", "one line"),
    ],
)
def test_a_program_keeps_its_indentation(given: str, made: str) -> None:
    assert shaped(Completion(), {**ROW, "completion": given}).answers == (made,)


def test_messages() -> None:
    example = shaped(Completion(), {"prompt": ASKED, "completion": [{"role": "assistant", "content": "Four."}]})
    assert (turns(example), example.answers) == ([("system", "Count."), ("user", "Two and two?")], ("Four.",))


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"prompt": " "}, "empty-text"),
        ({"prompt": {}}, "wrong-type"),
        ({"prompt": [{"role": "nobody", "content": ""}]}, "unknown-role"),
        ({"prompt": ASKED[:1]}, "no-question"),
        ({"completion": " "}, "empty-answer"),
        ({"completion": True}, "wrong-type"),
        ({"completion": float("inf")}, "wrong-type"),
        ({"completion": ASKED}, "no-answer"),
        ({"completion": [{"role": "assistant", "content": ""}]}, "no-answer"),
    ],
)
def test_what_is_refused(more: dict[str, Any], name: str) -> None:
    assert refused(Completion(), {**ROW, **more}) == name


def test_a_context_is_read_before_its_question() -> None:
    found = schema({"context": "Wood is cut.", "question": "What?", "answer": "That is a long story."})
    shape, said = Completion.choose(found, Wanted())
    assert shape == Completion("context+question", "answer")
    assert "joined" in said[0]
    assert shaped(shape, {"context": "a", "question": "b", "answer": "c"}).text == "a\n\nb"


def test_labels_that_come_back_fit_little() -> None:
    assert Completion.fits(schema(*({**ROW, "completion": "ab"[n % 2]} for n in range(8)))) == 0.3
    assert Completion.fits(schema(*({**ROW, "completion": f"answer {n}"} for n in range(8)))) == 0.9
