"""Every shape, whatever a row holds, gives an example or a problem and never raises; so does every guess."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.core.types import Example
from dragoman.data.columns import Schema
from dragoman.data.load import SHAPES, TASKS
from dragoman.data.problems import Place, Problem, Row

NAMES = (
    "text prompt completion instruction input output system history messages conversations tools label tokens tags "
    "entities context question answers summary en de translation chosen rejected role content from value start end id"
)
KEYS = st.sampled_from(NAMES.split())
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 40),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["user", "assistant", "human", "gpt", "B-a", "O", "[]", "[{", "\n\nHuman: a\n\nAssistant: b"]),
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)), max_leaves=8
)
ROWS = st.dictionaries(KEYS, VALUES, max_size=8)
COLUMNS = {
    "chat": {"system": "system", "tools": "tools"},
    "instruct": {"system": "system", "history": "history"},
    "preference": {"input": "input"},
    "translate": {"inside": "translation"},
}


@pytest.mark.parametrize("name", SHAPES.names())
@settings(max_examples=60, deadline=None)
@given(values=ROWS)
def test_no_row_is_a_bug(name: str, values: dict[str, Any]) -> None:
    kind = SHAPES.kind(name)
    shapes = [kind(), kind(**COLUMNS.get(name, {}))]
    if name == "tag":
        shapes.append(kind("", "", "text", "entities"))
    for shape in shapes:
        made = shape(Row(Place("a"), values))
        if isinstance(made, Problem):
            assert made.reason
            continue
        example, notes = made
        assert isinstance(example, Example)
        assert all(isinstance(note, str) for note in notes)
        assert all(isinstance(answer, str) for answer in example.answers)
        assert example.prompt or example.answers
        if name == "tag":
            assert len(example.answers) == len(example.meta["words"])
        if name == "squad":
            context = example.text.rpartition("\n\n")[0]
            for answer, start in zip(example.answers, example.meta["starts"], strict=True):
                assert context[start : start + len(answer)] == answer


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=3))
def test_no_columns_are_a_bug(rows: list[dict[str, Any]]) -> None:
    schema = Schema()
    for values in rows:
        schema.see(Row(Place("a"), values))
    for name in SHAPES.names():
        assert 0 <= SHAPES.kind(name).fits(schema) <= 1
        assert set(SHAPES.kind(name).tasks) <= set(TASKS)
