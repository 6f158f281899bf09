"""A plug-in as the command line and project files give it: a name, or a table with a name and settings."""

from collections.abc import Mapping
from typing import Any

from dragoman.core.errors import UserError

__all__ = ["plug"]


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
