"""Questions on a context: every form of the answers, places that are mended or refused, cleaning that moves them."""

from typing import Any

import pytest

from dragoman.data.shapes.squad import Squad
from dragoman.data.shaping import Wanted
from tests.data.shapes.reading import notes, refused, schema, shaped

CONTEXT = "Wood is cut with a saw.\n\nNails want a hammer."


def row(answers: Any, **more: Any) -> dict[str, Any]:
    return {"context": CONTEXT, "question": "What cuts\nwood? ", "answers": answers, **more}


@pytest.mark.parametrize(
    "answers",
    [
        {"text": ["a saw", "saw", "saw"], "answer_start": [17, 19, 19]},
        [{"text": "a saw", "answer_start": 17}, {"text": "saw", "answer_start": 19}],
        ["a saw", "saw"],
    ],
)
def test_the_question_is_the_last_paragraph(answers: Any) -> None:
    example = shaped(Squad(), row(answers))
    assert example.text == f"{CONTEXT}\n\nWhat cuts wood?"
    assert (example.answers, example.meta["starts"]) == (("a saw", "saw"), [17, 19])


def test_a_text_with_its_place_beside_it() -> None:
    shape = Squad(answers="answer", start="answer_start")
    assert shaped(shape, row(None, answer="a hammer", answer_start=36)).meta["starts"] == [36]


def test_a_wrong_place_is_mended_where_the_answer_stands_once_nearby() -> None:
    values = row({"text": ["a saw"], "answer_start": [14]})
    assert shaped(Squad(), values).meta["starts"] == [17]
    assert "mended-offset" in notes(Squad(), values)
    assert refused(Squad(), row({"text": ["a"], "answer_start": [16]})) == "wrong-offset"
    assert refused(Squad(), row({"text": ["saws"], "answer_start": [17]})) == "wrong-offset"
    assert refused(Squad(), row(["a drill"])) == "answer-not-in-text"


def test_cleaning_moves_the_places() -> None:
    context = "  Cafe\u0301 au lait in Paris. "
    values = {"context": context, "question": "Where?", "answers": {"text": ["Paris"], "answer_start": [19]}}
    example = shaped(Squad(), values)
    start = example.meta["starts"][0]
    assert example.text.startswith("Café au lait")
    assert example.text[start : start + 5] == "Paris"


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (row(["saw"], context=""), "empty-text"),
        (row(["saw"], question=" "), "empty-text"),
        (row(["saw"], context=5), "wrong-type"),
        (row(None), "missing-value"),
        (row({"text": ["a"], "answer_start": []}), "wrong-type"),
        (row({"text": [1], "answer_start": [1]}), "wrong-type"),
        (row({"text": [], "answer_start": []}), "no-answer"),
        (row(["saw"], is_impossible=True), "no-answer"),
        (row({"text": ["saw"], "answer_start": [-9]}), "wrong-offset"),
    ],
)
def test_what_is_refused(values: dict[str, Any], name: str) -> None:
    if name == "wrong-offset":
        values = {**values, "context": "x" * 200 + "saw"}
    assert refused(Squad(), values) == name


def test_the_columns_are_found() -> None:
    assert Squad.fits(schema(row({"text": ["saw"], "answer_start": [19]}))) == 0.97
    assert Squad.fits(schema(row(["saw"]))) == 0.85
    assert Squad.fits(schema(row(["It is the saw that does it."]))) == 0
    assert Squad.choose(schema(row(["saw"])), Wanted())[0] == Squad()
