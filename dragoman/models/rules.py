"""Rewards that are rules: how often a text stands in an answer, how long it is, a pattern, or a function in a file.

Patterns and files run in a process of their own (`models.rule_worker`), which is killed where an answer takes too long.
"""

import json
import math
import select
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dragoman.core.doors import Prompt, Reward
from dragoman.core.errors import UserError
from dragoman.models import rule_worker

__all__ = ["RULES", "Counting", "Lengthy", "Working", "open_rule"]

RULES = ("count", "length", "regex", "python")
"the kinds of rules, by what stands in front of the colon"
SECONDS = 10.0  # that one answer may take; a regular expression that goes wrong never ends
STARTING = 30.0  # that reading a file may take: it may import numpy


def open_rule(spec: str) -> Reward:
    """The rule of `count:TEXT`, `length:CHARACTERS`, `regex:PATTERN` or `python:FILE.py`. Raises UserError."""
    kind, _, rest = spec.partition(":")
    if kind == "count" and rest:
        return Counting(rest)
    if kind == "length" and rest.isdigit():
        return Lengthy(int(rest))
    if kind == "regex" and rest:
        return Working("regex", rest)
    if kind == "python" and rest:
        path = Path(rest)
        if not path.is_file():
            raise UserError(f"there is no {rest}", "name a file with def reward(prompt, answer): python:FILE.py")
        return Working("python", str(path.resolve()))
    raise UserError(
        f"'{spec}' is no rule", "say count:TEXT, length:CHARACTERS, regex:PATTERN or python:FILE.py in objective.reward"
    )


@dataclass(frozen=True)
class Counting:
    """How often a text stands in the answer."""

    text: str

    def rate(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> NDArray[np.float64]:
        """A count for each answer."""
        return np.array([answer.count(self.text) for answer in answers], dtype=np.float64)


@dataclass(frozen=True)
class Lengthy:
    """Minus how many characters the answer is from a length."""

    length: int

    def rate(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> NDArray[np.float64]:
        """0 where an answer is just so long, below it elsewhere."""
        return np.array([-abs(len(answer) - self.length) for answer in answers], dtype=np.float64)


class Working:
    """A rule in a process of its own, which lives as long as it is asked."""

    def __init__(self, kind: str, source: str, seconds: float = SECONDS) -> None:
        """Raises UserError where the pattern or the file cannot be read."""
        self._kind, self._source, self._seconds = kind, source, seconds
        self._process: subprocess.Popen[str] | None = None
        self._ended: Any = None
        self._start()

    def rate(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> NDArray[np.float64]:
        """What the rule says of each. Raises UserError naming the answer at an error, a time-out, or no number."""
        found = []
        for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            asked = [{"role": one.role, "content": one.content} for one in prompt]
            said = self._asked({"prompt": asked, "answer": answer}, self._seconds)
            value = said.get("reward", math.nan)
            if not math.isfinite(value):
                why = said.get("error", f"it gave {value}")
                raise UserError(f"the reward of answer {row}, {answer[:60]!r}, failed: {why}", self._hint())
            found.append(value)
        return np.array(found, dtype=np.float64)

    def _hint(self) -> str:
        return f"mend {self._source}" if self._kind == "python" else "try another pattern: objective.reward=regex:..."

    def _start(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="rule-")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(Path(rule_worker.__file__)), self._kind, self._source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env={},
            cwd=folder.name,
            start_new_session=True,  # Ctrl-C is for the training, which saves itself first: the rule must live on
        )
        self._ended = weakref.finalize(self, _end, self._process, folder)
        said = self._read(STARTING)
        if "ready" not in said:
            why = said.get("broken") or said.get("error", "it ended before it was ready")
            self._ended()
            raise UserError(f"the rule {self._source} cannot be used: {why}", self._hint())

    def _asked(self, line: dict[str, Any], seconds: float) -> dict[str, Any]:
        if self._process is None or self._process.poll() is not None:
            self._start()
        assert self._process is not None
        pipe = self._process.stdin
        assert pipe is not None
        try:
            pipe.write(json.dumps(line) + "\n")
            pipe.flush()
        except BrokenPipeError:
            return {"error": "its process was ended"}
        return self._read(seconds)

    def _read(self, seconds: float) -> dict[str, Any]:
        """The next line of the process; what went wrong where there is none in time, and the process is then ended."""
        assert self._process is not None
        pipe = self._process.stdout
        assert pipe is not None
        ready, _, _ = select.select([pipe], [], [], seconds)
        line = pipe.readline() if ready else ""
        if line:
            found: dict[str, Any] = json.loads(line)
            return found
        self._ended()
        self._process = None
        return {"error": "its process was ended" if ready else f"it took more than {seconds:g} seconds"}


def _end(process: "subprocess.Popen[str]", folder: "tempfile.TemporaryDirectory[str]") -> None:
    """End the process, and take its folder away."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    folder.cleanup()
