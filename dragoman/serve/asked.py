"""What a chat request asks: its messages, its tools and the shape of the answer, read and bounded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dragoman.core.sampling import Sampling
from dragoman.core.tools import Call, call_schema, call_text, tool_names, tools_text
from dragoman.core.types import Message
from dragoman.serve.body import strict
from dragoman.serve.drawing import IGNORED, Drawn, drawn, shaped
from dragoman.serve.fields import Fields
from dragoman.serve.limits import Limits
from dragoman.serve.refused import Refused

__all__ = ["MODEL", "Chat", "messages_of", "read_chat"]

ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
TOOLS, TOOL = 64, 65_536
MODEL = 256
"""The most characters of a model's name."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat request."""

    model: str
    messages: tuple[Message, ...]
    written: Drawn
    tools: tuple[str, ...] = ()
    "the names of the tools that may be called"
    plain: bool = True
    "whether nothing is asked but how tokens are drawn"
    several: bool = True
    "whether an answer may call more than one tool"

    @property
    def how(self) -> Sampling:
        """How the next token is drawn."""
        return self.written.how


def read_chat(body: dict[str, Any], judged: Sampling, limits: Limits) -> Chat:
    """A chat request from its body. Raises Refused (400, 413)."""
    fields = Fields(body)
    model = fields.text("model", MODEL)
    messages = messages_of(fields, "messages", limits)
    if not any(message.role != "system" and message.content for message in messages):
        raise fields.wrong("messages", "says nothing that could be answered")
    logprobs = _logprobs(fields)
    written = drawn(fields, judged, limits, logprobs)
    if fields.flag("store"):
        raise fields.wrong("store", "is not possible here")
    tools, choice = _tools(fields)
    several = fields.flag("parallel_tool_calls", True)
    how, bound = _shape(fields, written.how, tools, choice)
    fields.done(IGNORED)
    if tools and choice != "none":
        messages = _told(messages, tools_text(tools))
    same = replace(written, how=how, as_judged=written.as_judged and how == written.how)
    names = tool_names(tools) if choice != "none" else ()
    return Chat(model, messages, same, names, not tools and not bound, several)


def messages_of(fields: Fields, name: str, limits: Limits) -> tuple[Message, ...]:
    """The messages of a field. Raises Refused (400, 413)."""
    value = fields.any(name)
    if not isinstance(value, list) or not value:
        raise fields.wrong(name, "is not a list of messages")
    if len(value) > limits.messages:
        raise fields.wrong(name, f"holds more than {limits.messages} messages", 413)
    found = tuple(_message(one, f"{name}[{place}]") for place, one in enumerate(value))
    if sum(len(message.content) for message in found) > limits.prompt_characters:
        raise fields.wrong(name, f"has more than {limits.prompt_characters} characters", 413)
    return found


def _message(value: Any, where: str) -> Message:
    fields = Fields(value, where)
    role = ROLES[fields.choice("role", tuple(ROLES), "")] if fields.any("role") is not None else ""
    if not role:
        raise fields.wrong("role", "is missing")
    text = _content(fields, where)
    calls = fields.any("tool_calls")
    if calls is not None and role == "assistant":
        called = _called(calls, where)
        text = f"{text}\n{called}" if text else called
    elif role != "assistant" and fields.any("content") is None:
        raise fields.wrong("content", "is missing")
    fields.text("tool_call_id", MODEL)
    # What an answer had when it came, sent back as it was; the name of a tool is in the call that it answers.
    fields.done(("tool_calls", "annotations", "id", *(("name",) if role == "tool" else ())))
    return Message(role, text)


def _content(fields: Fields, where: str) -> str:
    """The text of a message: a text, null, or a list of parts that are texts."""
    content = fields.any("content")
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise fields.wrong("content", "is neither a text nor a list of parts")
    texts = []
    for place, part in enumerate(content):
        inner = Fields(part, f"{where}.content[{place}]")
        if inner.any("type") != "text":
            raise inner.wrong("type", "is not text: nothing else can be read here")
        texts.append(inner.text("text", 1 << 22))
        inner.done(("annotations", "cache_control"))
    return "\n".join(texts)


def _called(calls: Any, where: str) -> str:
    if not isinstance(calls, list) or not 0 < len(calls) <= TOOLS:
        raise Refused(400, f"{where}.tool_calls is not a list of calls", param=f"{where}.tool_calls")
    found = []
    for place, one in enumerate(calls):
        at = f"{where}.tool_calls[{place}]"
        function = Fields(Fields(one, at).any("function"), f"{at}.function")
        name, arguments = function.text("name", MODEL), function.text("arguments", TOOL, "{}")
        try:
            given = strict(arguments or "{}")
        except (ValueError, RecursionError):
            raise function.wrong("arguments", "is not JSON") from None
        except Refused:
            raise function.wrong("arguments", "is not JSON that can be read here") from None
        if not name or not isinstance(given, dict):
            raise function.wrong("arguments", "is not a JSON object")
        found.append(Call(name, given))
    try:
        return call_text(found)
    except RecursionError:  # it was read, and is two levels deeper now
        raise Refused(400, f"{where}.tool_calls is nested too deep", param=f"{where}.tool_calls") from None


def _logprobs(fields: Fields) -> int:
    wanted = fields.flag("logprobs")
    top = fields.integer("top_logprobs", 0, 20, 0)
    if top and not wanted:
        raise fields.wrong("top_logprobs", "is asked for without logprobs")
    return top if wanted else -1


def _tools(fields: Fields) -> tuple[list[Mapping[str, Any]], str]:
    """The tools, and which are to be called: none, auto, required, or one by its name."""
    value, choice = fields.any("tools"), fields.any("tool_choice")
    if value is None or value == []:
        if choice not in (None, "none", "auto"):
            raise fields.wrong("tool_choice", "is given without tools")
        return [], "none"
    if not isinstance(value, list) or len(value) > TOOLS:
        raise fields.wrong("tools", f"is not a list of at most {TOOLS} tools")
    for place, tool in enumerate(value):
        outer = Fields(tool, f"tools[{place}]")
        if outer.any("type") != "function":
            raise outer.wrong("type", "is not function")
        inner = Fields(outer.any("function"), f"tools[{place}].function")
        if not inner.text("name", 64):
            raise inner.wrong("name", "is missing")
        inner.text("description", TOOL)
        if not isinstance(inner.any("parameters") or {}, dict):
            raise inner.wrong("parameters", "is not an object")
        inner.flag("strict")
        inner.done()
        outer.done()
    if choice is None or choice in ("auto", "none", "required"):
        return value, choice or "auto"
    named = Fields(choice, "tool_choice")
    named.choice("type", ("function",), "function")
    name = Fields(named.any("function"), "tool_choice.function").text("name", 64)
    if name not in tool_names(value):
        raise fields.wrong("tool_choice", "names none of the tools")
    return [tool for tool in value if tool_names([tool]) == (name,)], "required"


def _shape(fields: Fields, how: Sampling, tools: Sequence[Mapping[str, Any]], choice: str) -> tuple[Sampling, bool]:
    """How an answer of the shape that is asked for is drawn, and whether a shape is asked for."""
    value = fields.any("response_format")
    kind = "text"
    schema: Any = {"type": "object"}
    if value is not None:
        form = Fields(value, "response_format")
        kind = form.choice("type", ("text", "json_object", "json_schema"), "text")
        if kind == "json_schema":
            inner = Fields(form.any("json_schema"), "response_format.json_schema")
            inner.text("name", 64)
            inner.text("description", TOOL)
            inner.flag("strict")
            schema = inner.any("schema")
            inner.done()
            if not isinstance(schema, dict):
                raise inner.wrong("schema", "is not an object")
        form.done()
    if choice == "required" and tools:
        if kind != "text":
            raise fields.wrong("response_format", "does not go with a tool that has to be called")
        return shaped(how, call_schema(tools)), True
    return (shaped(how, schema), True) if kind != "text" else (how, False)


def _told(messages: tuple[Message, ...], tools: str) -> tuple[Message, ...]:
    """The tools behind what the system says, as a model was trained to see them."""
    own = [message.content for message in messages if message.role == "system"]
    rest = [message for message in messages if message.role != "system"]
    return (Message("system", "\n\n".join([*own, tools])), *rest)
