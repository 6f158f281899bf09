"""The values that reading gives: a row, the place it stands at, and what is wrong with it."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dragoman.core.errors import UserError

__all__ = ["Place", "Problem", "Row", "counted", "refuse", "write_rejects"]

SKIP = "data.keep_going=true leaves them out and lists them in rejects.jsonl"
SHOWN = 5  # the first problems a refusal lists; the rest is counted


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: `file:line:column`, lines and columns counted from 1, columns in characters."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it was read: its place and the value of each column."""

    place: Place
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """What was found at a place. `refused` ones cost the row (or the file); the others are only counted and said.

    `name` is in kebab-case and is what is counted; `fix` is the one line that mends it, where there is one.
    """

    name: str
    place: Place
    reason: str
    fix: str = ""
    refused: bool = True


def counted(problems: Iterable[Problem]) -> dict[str, int]:
    """How often each problem was found, the most frequent first."""
    return dict(Counter(problem.name for problem in problems).most_common())


def refuse(problems: Sequence[Problem], source: str, skip: str = SKIP) -> None:
    """Raise UserError when any row was refused: the first problems with their places, and the count of each.

    The hint is the fix when all problems share one, and `skip`, which leaves the rows out, otherwise.
    """
    refused = [problem for problem in problems if problem.refused]
    if not refused:
        return
    counts = ", ".join(f"{name} {count}" for name, count in counted(refused).items())
    shown = [f"  {problem.place} {problem.name}: {problem.reason}" for problem in refused[:SHOWN]]
    if len(refused) > SHOWN:
        shown.append(f"  and {len(refused) - SHOWN:,} more")
    fixes = list(dict.fromkeys(problem.fix for problem in refused if problem.fix))
    alone = len(fixes) == 1 and all(problem.fix for problem in refused)
    hint = f"{fixes[0]}; or {skip}" if alone else f"mend them, or {skip}"
    noun = "problem" if len(refused) == 1 else "problems"
    raise UserError(f"{len(refused):,} {noun} in {source}: {counts}\n" + "\n".join(shown), hint)


def write_rejects(path: Path, problems: Iterable[Problem]) -> int:
    """Write one JSON line a refused row to `path` (file, line, column, name, reason); the number written."""
    written = 0
    with path.open("w", encoding="utf-8") as file:
        for problem in problems:
            if problem.refused:
                place = {"file": problem.place.file, "line": problem.place.line, "column": problem.place.column}
                line = json.dumps({**place, "name": problem.name, "reason": problem.reason}, ensure_ascii=False)
                file.write(line + "\n")
                written += 1
        file.flush()
        os.fsync(file.fileno())
    return written
