"""Dialogues: OpenAI's and ShareGPT's, with tools; what is learnt is the last answer, and what cannot be is named."""

import json
from typing import Any

import pytest

from dragoman.data.shapes.chat import Chat
from dragoman.data.shaping import Wanted
from tests.data.shapes.reading import notes, refused, schema, shaped, turns

ASKED = {"role": "user", "content": " Hello,\nyou. "}
ANSWERED = {"role": "assistant", "content": "Hello."}


def share(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"conversations": [{"from": who, "value": said} for who, said in pairs]}


def test_everything_before_the_last_answer_is_the_prompt() -> None:
    more = [{"role": "user", "content": "And?"}, {"role": "assistant", "content": "Well."}]
    example = shaped(Chat(), {"messages": [{"role": "system", "content": "Be kind."}, ASKED, ANSWERED, *more]})
    assert turns(example) == [
        ("system", "Be kind."),
        ("user", "Hello,\nyou."),
        ("assistant", "Hello."),
        ("user", "And?"),
    ]
    assert example.answers == ("Well.",)


def test_sharegpt_with_tools() -> None:
    tools = json.dumps([{"name": "weather", "parameters": {}}])
    call = '{"name": "weather", "arguments": {"city": "Bonn"}}'
    row = share(("human", "Rain?"), ("function_call", call), ("observation", "yes"), ("gpt", "It rains."))
    example = shaped(Chat("conversations", tools="tools"), {**row, "tools": tools})
    assert [who for who, _ in turns(example)] == ["system", "user", "assistant", "tool"]
    assert '{"name": "weather", "parameters": {}}' in example.prompt[0].content
    assert (example.prompt[2].content, example.answers) == (call, ("It rains.",))
    assert shaped(Chat("conversations", tools="tools"), {**row, "tools": "[]"}).prompt[0].role == "user"


def test_a_call_of_openai_becomes_its_json() -> None:
    called = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"function": {"name": "f", "arguments": '{"a": 1}'}}],
    }
    example = shaped(Chat(), {"messages": [ASKED, called]})
    assert json.loads(example.answers[0]) == {"name": "f", "arguments": {"a": 1}}


def test_a_system_column_and_a_cell_of_json_text() -> None:
    example = shaped(Chat(system="system"), {"messages": json.dumps([ASKED, ANSWERED]), "system": "Be kind."})
    assert turns(example)[0] == ("system", "Be kind.")


def test_parts_of_text_are_joined_and_what_follows_is_counted() -> None:
    parts = {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}
    values = {"messages": [parts, ASKED, ANSWERED, ASKED], "label": False}
    assert shaped(Chat(), values).prompt[0].content == "one\ntwo"
    assert set(notes(Chat(), values)) == {"trimmed", "unanswered-turn", "disliked-answer"}
    assert shaped(Chat(), values).meta["liked"] is False


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "missing-column"),
        ({"messages": None}, "missing-value"),
        ({"messages": "hello"}, "wrong-type"),
        ({"messages": ["hello"]}, "wrong-type"),
        ({"messages": "[{"}, "broken-json"),
        ({"messages": '[{"role": "user", "content": "\\ud800"}]'}, "broken-json"),
        ({"messages": []}, "no-answer"),
        ({"messages": [ASKED]}, "no-answer"),
        ({"messages": [ANSWERED]}, "no-question"),
        ({"messages": [{**ASKED, "role": "narrator"}, ANSWERED]}, "unknown-role"),
        ({"messages": [{"content": "x"}, ANSWERED]}, "unknown-role"),
        ({"messages": [ASKED, {**ANSWERED, "content": " "}]}, "empty-answer"),
        ({"messages": [{**ASKED, "content": [{"type": "image_url"}]}, ANSWERED]}, "not-text"),
        (
            {"messages": [ASKED, {**ANSWERED, "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}]},
            "broken-json",
        ),
        ({"messages": [ASKED, {**ANSWERED, "tool_calls": [{"id": 1}]}]}, "wrong-type"),
        ({"messages": [ASKED, ANSWERED], "tools": "[{"}, "broken-json"),
        ({"messages": [ASKED, ANSWERED], "tools": "[1]"}, "wrong-type"),
        ({"messages": [ASKED, ANSWERED], "system": 1}, "wrong-type"),
    ],
)
def test_what_is_refused(values: dict[str, Any], name: str) -> None:
    assert refused(Chat(system="system", tools="tools"), values) == name


def test_the_columns_are_found() -> None:
    found = schema({**share(("human", "a"), ("gpt", "b")), "tools": "[]", "id": "1"})
    assert Chat.fits(found) > 0.9
    shape, said = Chat.choose(found, Wanted())
    assert shape == Chat("conversations", tools="tools", id="id")
    assert said == ["messages = column 'conversations'", "tools = column 'tools'", "id = column 'id'"]
    assert Chat.fits(schema({"dialogue": "a text"})) == 0
