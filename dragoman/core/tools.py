"""Tools as a model sees them, in training and in serving alike: text in the system message, and calls as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["TOOLS", "Call", "call_schema", "call_text", "calls_in", "tool_names", "tools_text"]

TOOLS = (
    "These are the tools, one a line. To call one, answer with nothing but JSON: "
    '{"name": the name of the tool, "arguments": what it is given}.'
)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool."""

    name: str
    arguments: Mapping[str, Any]


def tools_text(tools: Sequence[Mapping[str, Any]]) -> str:
    """What a system message says of the tools; empty where there are none."""
    return "\n".join([TOOLS, *(json.dumps(tool, ensure_ascii=False) for tool in tools)]) if tools else ""


def call_text(calls: Sequence[Call]) -> str:
    """The JSON text of one call, {"name", "arguments"}, or of a list of several."""
    told = [{"name": call.name, "arguments": call.arguments} for call in calls]
    return json.dumps(told[0] if len(told) == 1 else told, ensure_ascii=False)


def tool_names(tools: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The names of tools, given as functions or as OpenAI's {"type": "function", "function": {...}}."""
    return tuple(str(_function(tool).get("name", "")) for tool in tools)


def calls_in(text: str, names: Sequence[str]) -> tuple[Call, ...]:
    """The calls that an answer consists of; none where it is no JSON, or calls what is not among the names."""
    try:
        value = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return ()
    found = value if isinstance(value, list) else [value]
    calls = []
    for one in found:
        if not isinstance(one, dict) or one.get("name") not in names or set(one) - {"name", "arguments"}:
            return ()
        arguments = one.get("arguments", {})
        if not isinstance(arguments, dict):
            return ()
        calls.append(Call(one["name"], arguments))
    return tuple(calls)


def call_schema(tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The JSON schema of a call of one of the tools."""
    shapes = [
        {
            "type": "object",
            "properties": {
                "name": {"const": _function(tool).get("name", "")},
                "arguments": _function(tool).get("parameters") or {"type": "object"},
            },
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for tool in tools
    ]
    return shapes[0] if len(shapes) == 1 else {"anyOf": shapes}


def _no_number(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are no JSON: whoever is told of the call could not read it


def _function(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = tool.get("function")
    return inner if isinstance(inner, Mapping) else tool
