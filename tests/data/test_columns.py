"""Choosing columns: by name, by the scope's labels, by length; guesses are said with what else they could be."""

from typing import Any

import pytest

from dragoman.core.errors import UserError
from dragoman.core.project import Columns
from dragoman.data.columns import Schema, choose
from dragoman.data.problems import Place, Row


def schema(*rows: dict[str, Any]) -> Schema:
    made = Schema()
    for number, row in enumerate(rows, start=1):
        made.see(Row(Place("a", number), row))
    return made


def many(**values: list[Any]) -> Schema:
    return schema(*({name: listed[number % len(listed)] for name, listed in values.items()} for number in range(60)))


def test_known_names_are_found_and_said() -> None:
    columns, said = choose(many(text=["some words", "others"], label=[0, 1], id=list(range(60))), Columns())
    assert columns == Columns(text="text", label="label", id="id", group="")
    assert said == ["label = column 'label' (2 values)", "text = column 'text'", "id = column 'id'"]


def test_two_label_columns_are_an_honest_question() -> None:
    trec = many(coarse=["DESC", "ENTY"], fine=["DESC:manner", "ENTY:animal", "ENTY:food"], text=["How ?", "What ?"])
    columns, said = choose(trec, Columns())
    assert columns.label == "coarse"
    assert said[0] == "label = column 'coarse' (2 values); it could also be 'fine' (3 values): data.columns.label=fine"


def test_the_labels_of_the_scope_decide() -> None:
    trec = many(coarse=["DESC", "ENTY"], fine=["DESC:manner", "ENTY:animal"], text=["How ?", "What ?"])
    assert choose(trec, Columns(), labels=("DESC:manner", "ENTY:animal"))[0].label == "fine"


def test_several_string_columns_give_the_longest() -> None:
    columns, said = choose(many(note=["short"], story=["a much longer text than the other"], label=[1, 2]), Columns())
    assert columns.text == "story"
    assert "it could also be 'note': data.columns.text=note" in said[1]


def test_pairs_are_joined() -> None:
    pairs = many(premise=["a b c"], hypothesis=["d e f"], label=[0, 1], task=["IR", "QA"])
    columns, said = choose(pairs, Columns())
    assert columns.text == "premise+hypothesis"
    assert "'task' (2 values)" in said[0]
    assert choose(pairs, Columns(text="premise + hypothesis"))[0].text == "premise + hypothesis"


def test_given_columns_are_taken_and_not_said() -> None:
    columns, said = choose(many(a=["x y"], b=[1, 2], c=[1], d=["g"]), Columns(text="a", label="b", id="c", group="d"))
    assert (columns, said) == (Columns(text="a", label="b", id="c", group="d"), [])


@pytest.mark.parametrize(
    "given", [Columns(text="txet"), Columns(label="lable"), Columns(id="x"), Columns(text="text+lable")]
)
def test_a_given_column_that_is_not_there_is_refused(given: Columns) -> None:
    with pytest.raises(UserError) as caught:
        choose(many(text=["a"], label=[1, 2]), given)
    assert "known: label, text" in caught.value.hint
    assert "data.columns." in caught.value.hint


def test_no_label_and_no_text_list_every_column() -> None:
    with pytest.raises(
        UserError, match=r"no column holds a label; the columns are a \(in all rows\), b \(in 1 of 2 rows\)"
    ):
        choose(schema({"a": "x"}, {"a": "y", "b": 1}), Columns())
    with pytest.raises(UserError, match="no column holds text"):
        choose(many(label=[1, 2], n=[1, 2]), Columns())
    assert choose(schema({"a": "x"}), Columns(), labelled=False)[0] == Columns(text="a")


def test_the_schema_comes_from_all_rows() -> None:
    table = schema({"a": "x"}, {"a": 1}, {"a": None, "b": [1, 2]}).table()
    assert table["a"] == {"rows": 3, "types": {"str": 1, "int": 1, "null": 1}, "values": 3}
    assert table["b"] == {"rows": 1, "types": {"list": 1}, "values": 2}
