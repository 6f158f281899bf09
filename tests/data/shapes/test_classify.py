"""The classification shape: labels of all kinds, several labels, joined texts, and what is refused."""

from typing import Any

import pytest

from dragoman.core.types import Example
from dragoman.data.problems import Place, Problem, Row
from dragoman.data.shapes.classify import Classify

PLACE = Place("a.jsonl", 7)


def shaped(shape: Classify, **values: Any) -> Example:
    made = shape(Row(PLACE, values))
    assert not isinstance(made, Problem), made
    return made[0]


def refused(shape: Classify, **values: Any) -> str:
    made = shape(Row(PLACE, values))
    assert isinstance(made, Problem)
    assert made.place == PLACE
    return made.name


@pytest.mark.parametrize(
    ("value", "label"), [(1, "1"), ("spam", "spam"), (" spam ", "spam"), (True, "true"), (2.0, "2"), (["a"], "a")]
)
def test_labels_become_strings(value: object, label: str) -> None:
    assert shaped(Classify(), text="x", label=value).answers == (label,)


def test_the_meta_holds_place_id_and_group() -> None:
    made = shaped(Classify(id="n", group="g"), text="x", label="a", n=5, g="doc", other=1)
    assert made.meta == {"place": "a.jsonl:7:1", "id": "5", "group": "doc"}
    assert made.text == "x"


def test_two_texts_are_joined() -> None:
    shape = Classify(text="premise+hypothesis")
    assert shaped(shape, premise="It rains.", hypothesis="It is wet.", label=1).text == "It rains.\nIt is wet."
    assert refused(shape, premise="It rains.", label=1) == "missing-column"
    assert shaped(Classify(text="a+b"), **{"a+b": "a column of that name", "label": 1}).text == "a column of that name"


@pytest.mark.parametrize("cell", [["a", "b"], '["a", "b"]', "a|b", "a;b", "a, b", ["a", "b", "a"]])
def test_several_labels(cell: object) -> None:
    assert shaped(Classify(multi_label=True), text="x", label=cell).answers == ("a", "b")


def test_no_label_may_hold_when_several_may() -> None:
    assert shaped(Classify(multi_label=True), text="x", label=[]).answers == ()
    assert refused(Classify(), text="x", label=[]) == "missing-label"
    assert refused(Classify(), text="x", label=["a", "b"]) == "several-labels"


def test_a_label_with_a_comma_stays_whole_when_the_scope_knows_it() -> None:
    shape = Classify(multi_label=True, labels=("food, drink", "rest"))
    assert shaped(shape, text="x", label="food, drink").answers == ("food, drink",)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"text": "", "label": "a"}, "empty-text"),
        ({"text": " \u00a0\n", "label": "a"}, "empty-text"),
        ({"text": None, "label": "a"}, "missing-value"),
        ({"label": "a"}, "missing-column"),
        ({"text": 5, "label": "a"}, "wrong-type"),
        ({"text": "x", "label": None}, "missing-value"),
        ({"text": "x", "label": 0.5}, "wrong-type"),
        ({"text": "x", "label": float("nan")}, "wrong-type"),
        ({"text": "x", "label": {"a": 1}}, "wrong-type"),
        ({"text": "x", "label": " "}, "wrong-type"),
        ({"text": "x"}, "missing-column"),
    ],
)
def test_what_is_refused(values: dict[str, Any], name: str) -> None:
    assert refused(Classify(), **values) == name


def test_labels_outside_the_scope_are_refused() -> None:
    made = Classify(labels=("positive", "negative"))(Row(PLACE, {"text": "x", "label": "postive"}))
    assert isinstance(made, Problem)
    assert (made.name, "did you mean 'positive'?" in made.reason) == ("label-outside-scope", True)


def test_texts_alone() -> None:
    assert shaped(Classify(label=""), text="x").answers == ()
