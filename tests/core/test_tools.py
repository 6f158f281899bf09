"""Tools are written for a model, and its calls are read back."""

import json

from dragoman.core.tools import TOOLS, Call, call_schema, call_text, calls_in, tool_names, tools_text
from dragoman.data.dialogue import tools_of
from dragoman.data.problems import Place

ADD = {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}}
LOOK = {"type": "function", "function": {"name": "look", "parameters": {}}}


def test_what_is_served_is_what_is_trained() -> None:
    assert tools_text([ADD, LOOK]) == tools_of([ADD, LOOK], Place("x.jsonl", 1))
    assert tools_text([ADD]).startswith(TOOLS)
    assert tools_text([]) == ""


def test_calls_are_written_and_read_back() -> None:
    for calls in ((Call("add", {"a": 1}),), (Call("add", {"a": 1}), Call("look", {}))):
        assert calls_in(call_text(calls), ("add", "look")) == calls
    assert tool_names([ADD, LOOK]) == ("add", "look")


def test_what_is_no_call_is_text() -> None:
    for text in ("hello", "{", '{"name": "other", "arguments": {}}', '{"name": "add", "arguments": 3}', "[1]", "7",
                 '{"name": "add", "arguments": {}, "more": 1}'):  # fmt: skip
        assert calls_in(text, ("add",)) == ()
    assert calls_in("[" * 100_000, ("add",)) == ()


def test_a_call_has_a_schema() -> None:
    one = call_schema([ADD])
    assert one["properties"]["name"] == {"const": "add"}
    assert one["properties"]["arguments"] == ADD["parameters"]
    several = call_schema([ADD, LOOK])
    assert len(several["anyOf"]) == 2
    assert json.dumps(several)


def test_what_is_no_json_calls_nothing() -> None:
    for number in ("NaN", "Infinity", "-Infinity"):
        assert calls_in(f'{{"name": "add", "arguments": {{"a": {number}}}}}', ["add"]) == ()
