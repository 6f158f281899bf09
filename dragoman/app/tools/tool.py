"""A tool: a name, what it is for, typed arguments, and what it does; the arguments are checked before it runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Argument", "Tool", "described", "wrong_arguments"]

Kind = Literal["text", "number", "truth"]
_TYPES: Mapping[Kind, tuple[type, ...]] = {"text": (str,), "number": (int, float), "truth": (bool,)}
_SCHEMA: Mapping[Kind, str] = {"text": "string", "number": "number", "truth": "boolean"}
LONGEST = 4000  # characters of an argument


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a tool."""

    name: str
    kind: Kind = "text"
    about: str = ""
    needed: bool = True


@dataclass(frozen=True)
class Tool:
    """What a model may ask for. `run` gets checked arguments and answers with text; a mistake is text too."""

    name: str
    about: str
    arguments: tuple[Argument, ...]
    run: Callable[[Mapping[str, Any]], str]
    outside: bool = False
    "whether what it gives are others' words, such as documents: from then on the policy decides what may be called"

    def schema(self) -> dict[str, Any]:
        """Its arguments as a JSON schema."""
        made = {one.name: {"type": _SCHEMA[one.kind], "description": one.about} for one in self.arguments}
        needed = [one.name for one in self.arguments if one.needed]
        return {"type": "object", "properties": made, "required": needed, "additionalProperties": False}


def described(tool: Tool) -> str:
    """One line on a tool for a model's prompt: `calculator(expression: text): computes ...`."""
    given = ", ".join(f"{one.name}: {one.kind}{'' if one.needed else '?'}" for one in tool.arguments)
    return f"{tool.name}({given}): {tool.about}"


def wrong_arguments(tool: Tool, given: Mapping[str, Any]) -> str:
    """What is wrong with arguments; empty where nothing is. Nothing is made into what it is not."""
    known = {one.name: one for one in tool.arguments}
    strange = sorted(set(given) - set(known))
    if strange:
        return f"{tool.name} has no argument {strange[0]}"
    for one in tool.arguments:
        if one.name not in given:
            if one.needed:
                return f"{tool.name} needs the argument {one.name}"
            continue
        value = given[one.name]
        if not isinstance(value, _TYPES[one.kind]) or (one.kind == "number" and isinstance(value, bool)):
            return f"{one.name} has to be a {one.kind}"
        if isinstance(value, str) and len(value) > LONGEST:
            return f"{one.name} is longer than {LONGEST:,} characters"
    return ""
