"""Texts and their summaries, one or several."""

from typing import Any

import pytest

from dragoman.core.project import Columns
from dragoman.data.shapes.summarize import Summarize
from dragoman.data.shaping import Wanted
from tests.data.shapes.reading import refused, schema, shaped

ROW = {"dialogue": "A: Hello.\nB: Hello.", "summary": "They greet.", "topic": "greeting"}


def test_the_text_stays_whole_and_no_instruction_is_added() -> None:
    example = shaped(Summarize("dialogue"), ROW)
    assert (example.text, example.answers) == ("A: Hello.\nB: Hello.", ("They greet.",))


def test_several_references() -> None:
    assert shaped(Summarize("a", "b"), {"a": "x", "b": ["one", "two", "one"]}).answers == ("one", "two")
    columns = schema({"dialogue": "x", "summary1": "one", "summary2": "two"})
    shape, said = Summarize.choose(columns, Wanted())
    assert shape.summary == "summary1+summary2"
    assert "reference" in said[1]
    assert shaped(shape, {"dialogue": "x", "summary1": "one", "summary2": "two"}).answers == ("one", "two")


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"dialogue": "\n"}, "empty-text"),
        ({"dialogue": ["a"]}, "wrong-type"),
        ({"summary": ""}, "empty-answer"),
        ({"summary": None}, "missing-value"),
    ],
)
def test_what_is_refused(more: dict[str, Any], name: str) -> None:
    assert refused(Summarize("dialogue"), {**ROW, **more}) == name


def test_the_columns_are_found() -> None:
    assert Summarize.fits(schema(ROW)) == 0.9
    assert Summarize.choose(schema(ROW), Wanted())[0] == Summarize("dialogue", "summary")
    assert Summarize.choose(schema(ROW), Wanted(Columns("topic", "dialogue")))[0] == Summarize("topic", "dialogue")
    assert Summarize.fits(schema({"text": "a", "label": "b"})) == 0
    labelled = [{"text": f"a {n}", "summary": f"b {n}", "label": n % 2} for n in range(8)]
    assert Summarize.fits(schema(*labelled)) == 0.6
