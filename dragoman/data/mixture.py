"""A mixture of data sets: one TOML file with a table for each, which names its rows and how they are read."""

from dataclasses import dataclass, field
from pathlib import Path

from dragoman.core.config import build, read_toml
from dragoman.core.errors import UserError
from dragoman.core.project import Columns

__all__ = ["Part", "read_mixture"]

HINT = 'write a table a set: [sums] source = "sums.jsonl" template = "summarize"'


@dataclass(frozen=True, slots=True)
class Part:
    """One set of a mixture."""

    source: str = ""
    "A path from the mixture's own folder, or hf:owner/name."
    task: str = ""
    "What it is for; empty thinks of every shape."
    shape: str = ""
    "How a row is written; empty is guessed and said."
    template: str = ""
    "A prompt template over the columns."
    columns: Columns = field(default_factory=Columns)
    "Which column means what."


def read_mixture(path: Path) -> dict[str, Part]:
    """The sets of a mixture by name, in the order of the file. Raises UserError where a table is none or names no
    source."""
    if not path.is_file():
        raise UserError(f"there is no mixture {path}", f"data.source=PATH names another file; {HINT}")
    table = read_toml(path)
    parts = {}
    for name, held in table.items():
        if not isinstance(held, dict):
            raise UserError(f"'{name}' in {path} is no table", HINT)
        part: Part = build(Part, held, name)
        if not part.source:
            raise UserError(f"the set '{name}' of {path} names no source", HINT)
        parts[name] = part
    if not parts:
        raise UserError(f"{path} names no set", HINT)
    return parts
