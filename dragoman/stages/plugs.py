"""A plug-in as the command line and project files give it: a name, or a table with a name and settings; and back."""

import json
from collections.abc import Mapping
from typing import Any

from dragoman.core.errors import UserError

__all__ = ["plug", "plug_or_settings", "said"]


def plug_or_settings(value: str | Mapping[str, Any], noun: str) -> tuple[str, dict[str, Any]]:
    """The same, or settings alone, of whatever is usual: ("", {"turns": "last"})."""
    alone = isinstance(value, Mapping) and not {"", "name"} & set(value)
    return ("", dict(value)) if isinstance(value, Mapping) and alone else plug(value, noun) if value else ("", {})


def plug(value: str | Mapping[str, Any], noun: str) -> tuple[str, dict[str, Any]]:
    """`lora` as ("lora", {}); `tuning=lora tuning.rank=16` as ("lora", {"rank": 16})."""
    if isinstance(value, str):
        return value, {}
    table = dict(value)
    name = table.pop("", table.pop("name", ""))
    if not name:
        example = {"tuning": "tuning=lora tuning.rank=16", "objective": "objective=mlm objective.share=0.2"}[noun]
        raise UserError(f"the {noun} has settings but no name", f"say which: {example}")
    return str(name), table


def said(name: str, value: Any) -> list[str]:
    """A setting as the words of a command: those of a table one by one."""
    if isinstance(value, Mapping):
        return [word for key, one in value.items() for word in said(f"{name}.{key}" if key else name, one)]
    return [f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"]
