"""Reads a dialogue out of a cell, in the forms that public sets have it: OpenAI's, ShareGPT's, or one transcript."""

import json
import re
from collections.abc import Mapping
from typing import Any

from dragoman.core.config import nearest
from dragoman.core.tools import Call, call_text, tools_text
from dragoman.core.types import Message
from dragoman.data.problems import Place, Problem
from dragoman.data.shaping import tidy

__all__ = ["ROLES", "messages_of", "one_message", "tools_of", "transcript"]

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "function_call": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "ipython": "tool",
}
SPEAKER = re.compile(r"(?:\A|\n\n)(Human|Assistant):")


def messages_of(value: Any, place: Place, found: list[str]) -> list[Message] | Problem:
    """The messages of a cell: a list of {role, content} or {from, value}, or JSON text of one.

    Problems: wrong-type, broken-json, unknown-role, not-text. What cleaning changed is added to `found`.
    """
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _parsed(value, place, "the messages")
        if isinstance(value, Problem):
            return value
    if not isinstance(value, list | tuple):
        return Problem("wrong-type", place, f"a dialogue is a list of messages, and this is a {type(value).__name__}")
    messages = []
    for one in value:
        message = one_message(one, place, found)
        if isinstance(message, Problem):
            return message
        if not message.content:
            found.append("empty-turn")
        messages.append(message)
    return messages


def one_message(value: Any, place: Place, found: list[str]) -> Message | Problem:
    """One message of a dialogue; calls of tools become the JSON text of the call."""
    if not isinstance(value, Mapping):
        return Problem("wrong-type", place, f"a message is an object, and this is a {type(value).__name__}")
    said = value.get("role", value.get("from"))
    if not isinstance(said, str) or said.lower() not in ROLES:
        fix = nearest(said, ROLES) if isinstance(said, str) else f"one of: {', '.join(ROLES)}"
        return Problem("unknown-role", place, f"nobody speaks as {said!r:.40} in a dialogue", fix)
    content = value.get("content", value.get("value"))
    text = _content(content, place)
    if isinstance(text, Problem):
        return text
    text = tidy(text, found)
    called = value.get("tool_calls") or value.get("function_call")
    if called:
        call = _called(called, place)
        if isinstance(call, Problem):
            return call
        text = f"{text}\n{call}" if text else call
    return Message(ROLES[said.lower()], text)


def _content(content: Any, place: Place) -> str | Problem:
    """The text of a message: a text, null, or OpenAI's list of parts, of which only texts can be read."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, Mapping) for part in content):
        texts = [part.get("text") for part in content]
        if all(isinstance(text, str) for text in texts):
            return "\n".join(str(text) for text in texts)
    return Problem("not-text", place, f"the content of a message is a {type(content).__name__}, not a text")


def _called(called: Any, place: Place) -> str | Problem:
    """The JSON text of one call, {"name", "arguments"}, or of a list of several."""
    calls = []
    for one in called if isinstance(called, list) else [called]:
        function = one.get("function", one) if isinstance(one, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            return Problem("wrong-type", place, "the call of a tool has no name")
        given = function.get("arguments", {})
        if isinstance(given, str):
            given = _parsed(given, place, "the arguments of a call") if given.strip() else {}
            if isinstance(given, Problem):
                return given
        calls.append(Call(function["name"], given))
    return call_text(calls)


def tools_of(value: Any, place: Place) -> str | Problem:
    """What a system message says of the tools of a cell (a list, or JSON text of one); empty where there are none."""
    if isinstance(value, str) and value.strip():
        value = _parsed(value, place, "the tools")
        if isinstance(value, Problem):
            return value
    if value is None or value == "" or value == []:
        return ""
    tools = value if isinstance(value, list) else [value]
    if not all(isinstance(tool, Mapping) for tool in tools):
        return Problem("wrong-type", place, "the tools are no list of objects")
    return tools_text(tools)


def _parsed(text: str, place: Place, what: str) -> Any:
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()  # half a surrogate pair or NaN is no JSON
        return value
    except (ValueError, RecursionError) as error:
        return Problem("broken-json", place, f"{what} are no JSON: {error}")


def transcript(text: str, found: list[str]) -> list[Message] | None:
    """The messages of a text such as "\\n\\nHuman: ... \\n\\nAssistant: ..."; None where it is no transcript.

    Who speaks twice running speaks once: a model that wrote "Assistant:" itself did not begin another turn.
    """
    parts = SPEAKER.split(text)
    if len(parts) < 3 or parts[0].strip():
        return None
    messages: list[Message] = []
    for who, said in zip(parts[1::2], parts[2::2], strict=True):
        role, content = ROLES["human" if who == "Human" else "assistant"], tidy(said.removeprefix(" "), found)
        if messages and messages[-1].role == role:
            content = "\n\n".join(part for part in (messages.pop().content, content) if part)
        messages.append(Message(role, content))
    return messages
