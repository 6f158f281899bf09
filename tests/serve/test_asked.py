"""A chat request is read whole or refused: what would change an answer and cannot be kept is never left out."""

from typing import Any

import pytest

from dragoman.core.sampling import Sampling
from dragoman.core.tools import tools_text
from dragoman.core.types import Message
from dragoman.serve.asked import Chat, read_chat
from dragoman.serve.drawing import IGNORED
from dragoman.serve.limits import Limits
from dragoman.serve.refused import Refused

USER = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
OTHER = {"type": "function", "function": {"name": "take", "parameters": {"type": "object"}}}


def read(**body: Any) -> Chat:
    return read_chat({"messages": [USER], **body}, Sampling(), Limits())


def test_tools_are_told_as_in_training() -> None:
    asked = read(messages=[{"role": "system", "content": "be"}, USER], tools=[TOOL, OTHER])
    assert asked.messages == (Message("system", "be\n\n" + tools_text([TOOL, OTHER])), Message("user", "hi"))
    assert asked.tools == ("add", "take")
    assert not asked.how.json_schema
    assert asked.several
    assert not read(tools=[TOOL], parallel_tool_calls=False).several


def test_what_is_to_be_called_binds_the_answer() -> None:
    one = read(tools=[TOOL, OTHER], tool_choice={"type": "function", "function": {"name": "take"}})
    assert one.tools == ("take",)
    assert '"take"' in one.how.json_schema
    assert '"add"' not in one.how.json_schema
    assert "anyOf" in read(tools=[TOOL, OTHER], tool_choice="required").how.json_schema
    none = read(tools=[TOOL], tool_choice="none")
    assert (none.tools, none.messages) == ((), (Message("user", "hi"),))


def test_an_answer_sent_back_is_read() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    said = {"role": "assistant", "content": None, "refusal": None, "annotations": [], "tool_calls": [call]}
    told = {"role": "tool", "tool_call_id": "1", "name": "add", "content": "3"}
    asked = read(messages=[USER, said, told])
    assert asked.messages[1:] == (
        Message("assistant", '{"name": "add", "arguments": {"a": 1}}'),
        Message("tool", "3"),
    )


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({**USER, "name": "x"}, "messages[0].name"),
        ({"role": "assistant", "content": "x", "function_call": {"name": "y"}}, "messages[0].function_call"),
        ({"role": "assistant", "content": "x", "audio": {"id": "y"}}, "messages[0].audio"),
        ({"role": "assistant", "tool_calls": []}, "messages[0].tool_calls"),
        ({"role": "assistant", "tool_calls": [{"function": {"name": "a", "arguments": "["}}]}, "arguments"),
        ("hi", "messages[0]"),
    ],
    ids=str,
)
def test_what_would_be_lost_is_refused(message: Any, param: str) -> None:
    with pytest.raises(Refused) as refused:
        read(messages=[message, USER])
    assert refused.value.param.endswith(param)


def test_what_changes_nothing_may_be_said() -> None:
    assert read(**dict.fromkeys(IGNORED, "x"), store=False) == read()
    with pytest.raises(Refused, match="response_format"):
        read(tools=[TOOL], tool_choice="required", response_format={"type": "json_object"})


@pytest.mark.parametrize("arguments", ['{"a": "\\ud800"}', '{"a": NaN}', '{"a": 1, "a": 2}', '{"a": "\\u0000"}'])
def test_what_a_call_was_given_is_read_as_strictly_as_the_body(arguments: str) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "add", "arguments": arguments}}
    with pytest.raises(Refused) as refused:
        read(messages=[{"role": "assistant", "tool_calls": [call]}, USER])
    assert refused.value.status == 400
    assert refused.value.param == "messages[0].tool_calls[0].function.arguments"
