"""Lets a model write functions for tasks that have tests, runs them in the sandbox, and keeps those that pass.

A program that passes is a program whose tests pass, no more: it runs in one process with them, so one that sets out to
deceive them can. What ends before its tests are through, or leaves an answer of its own behind, has not passed.
"""

import ast
import json
import math
import re
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from dragoman.app.sandbox.outcome import Outcome
from dragoman.app.steps.pal import program_in
from dragoman.app.steps.write import written
from dragoman.core.disk import typed
from dragoman.core.doors import LM
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling
from dragoman.core.show import Tick, silent
from dragoman.core.types import Message

__all__ = ["Box", "CodeTask", "Programs", "generate_code", "pass_at", "read_code_tasks", "run_tests"]

REQUEST = "Complete this Python function. Write the whole of it in one ```python block and nothing else.\n\n{task}"
EXPLAINED = "a row is a task of the shape of HumanEval: task_id, prompt, entry_point and test"


class Box(Protocol):
    """Where programs run: `Sandbox`."""

    def run(self, program: str) -> Outcome:
        """What came of a program. Raises NoSandbox where it could not be shut in."""
        ...


@dataclass(frozen=True, slots=True)
class CodeTask:
    """A function that is to be written: how it begins, and what proves it."""

    name: str
    "What tells it from the others."
    begins: str
    "Imports, the signature and the docstring."
    entry: str
    "The function's name."
    tests: str
    "Python that raises where the function is wrong."


@dataclass
class Programs:
    """Rows to learn from, and what became of every program."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    passed: dict[str, int] = field(default_factory=dict)
    "by task: how many of its programs passed, the same one counted as often as it was written"
    left_out: Counter[str] = field(default_factory=Counter)
    "programs and tasks that were not kept, by why"


def read_code_tasks(path: str | Path) -> list[CodeTask]:
    """The tasks of a file of lines of JSON. Raises UserError where a line is none."""
    place = typed(path)
    try:
        lines = place.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{place} cannot be read: {type(error).__name__}", EXPLAINED) from None
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            name, begins, entry, test = (row[key] for key in ("task_id", "prompt", "entry_point", "test"))
        except (ValueError, KeyError, TypeError):
            raise UserError(f"line {number} of {place} is no task", EXPLAINED) from None
        if not all(isinstance(one, str) for one in (name, begins, entry, test)) or not str(entry).isidentifier():
            raise UserError(f"line {number} of {place} is no task", EXPLAINED)
        found.append(CodeTask(name, begins, entry, f"{test}\n\ncheck({entry})\n"))
    if not found:
        raise UserError(f"{place} holds no task", EXPLAINED)
    return found


def run_tests(task: CodeTask, program: str, box: Box) -> str:
    """Why a program does not pass the tests of a task; empty where it does. Raises NoSandbox."""
    word = secrets.token_hex(16)  # drawn after the program was written, so no program knows it by heart
    came = box.run(f"{program}\n\n{task.tests}\n\nanswer = {word!r}\n")
    if not came.finished:
        return came.problem
    return "" if came.answered and came.value == word else "it ended before its tests were through"


def generate_code(
    tasks: Sequence[CodeTask],
    lm: LM,
    box: Box,
    *,
    by: str = "",
    samples: int = 1,
    how: Sampling | None = None,
    tick: Tick = silent,
) -> Programs:
    """`samples` programs a task, those that pass as rows, each different one once.

    Programs that differ in spaces and comments alone are one. A task whose tests a function passes that does nothing
    proves nothing and is left out. `by` is the model's name, which every row bears. Raises UserError where `samples`
    are drawn without luck, and NoSandbox.
    """
    how = how or Sampling(max_tokens=512, temperature=0.8 if samples > 1 else 0.0)
    if samples < 1 or (samples > 1 and how.temperature == 0):
        raise UserError(
            f"{samples} greedy programs are the same program", "draw with a temperature above 0, or one program a task"
        )
    made = Programs()
    able = [task for task in tasks if _proves(task, box)]
    made.left_out.update({"tasks whose tests prove nothing": len(tasks) - len(able)})
    seen: dict[str, set[str]] = {task.name: set() for task in able}
    made.passed = dict.fromkeys(seen, 0)
    asked = [[Message("user", REQUEST.replace("{task}", task.begins.strip()))] for task in able]
    for number in range(samples):
        found = written(asked, lm, replace(how, n=1, seed=how.seed + number))
        for place, (task, one) in enumerate(zip(able, found, strict=True)):
            tick((number + place / len(able)) / samples, f"{len(made.rows):,} programs that pass")
            row = _row(task, one, number, by, box, made, seen[task.name])
            if row:
                made.rows.append(row)
    made.left_out = +made.left_out
    return made


def pass_at(k: int, passed: Sequence[int], samples: int) -> float:
    """The share of tasks that one of k programs solves: 1 - C(n-c, k) / C(n, k), without bias (Chen et al. 2021,
    2107.03374). `passed` is how many of a task's `samples` programs passed, for each task."""
    if not 1 <= k <= samples or not passed:
        raise UserError(f"pass@{k} needs at least {k} programs a task, and a task", "draw more programs for each task")
    return sum(1 - math.comb(samples - right, k) / math.comb(samples, k) for right in passed) / len(passed)


def _row(
    task: CodeTask, one: Completion, number: int, by: str, box: Box, made: Programs, seen: set[str]
) -> dict[str, Any] | None:
    """A program as a row to learn from; None where it is not kept, and why is counted."""
    if one.finish != "stop":
        made.left_out["programs that did not end"] += 1
        return None
    program = _whole(task, one.text)
    same = _shape(program)
    if not same:
        made.left_out["programs that are no Python"] += 1
        return None
    wrong = run_tests(task, program, box)
    if wrong:
        made.left_out["programs that fail their tests"] += 1
        return None
    made.passed[task.name] += 1
    if same in seen:
        made.left_out["programs that are there already"] += 1
        return None
    seen.add(same)
    return {
        "id": f"{task.name}/{number}",
        "instruction": REQUEST.replace("{task}", task.begins.strip()),
        "output": f"```python\n{program.strip()}\n```",
        "group": task.name,
        "generated": True,
        "made_by": by,
        "made": "generate_code",
    }


def _whole(task: CodeTask, text: str) -> str:
    """The program of a completion: with the imports of the task in front, or the task with what goes on behind it."""
    program = program_in(text)
    defines = rf"^(?:async )?def {re.escape(task.entry)}\b"
    if re.search(defines, program, re.MULTILINE):
        begins = [found.start() for found in re.finditer(defines, task.begins, re.MULTILINE)]
        return f"{task.begins[: begins[-1]] if begins else ''}{program}"
    return f"{task.begins.rstrip()}\n{program}"


def _shape(program: str) -> str:
    """What two programs have in common that differ in spaces and comments alone; empty where it is no Python."""
    try:
        return ast.dump(ast.parse(program))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""


def _proves(task: CodeTask, box: Box) -> bool:
    """Whether the tests tell a function that does nothing from one that does what it should."""
    return bool(run_tests(task, f"def {task.entry}(*given, **named):\n    return None\n", box))
