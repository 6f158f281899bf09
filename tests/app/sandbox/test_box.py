"""What a program computes comes out of the sandbox; what goes wrong comes out as one line, and nothing stays behind."""

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dragoman.app.sandbox.backends import CHILD, SWITCHES, Backend
from dragoman.app.sandbox.box import NoSandbox, Sandbox, open_sandbox, try_backends
from dragoman.app.sandbox.outcome import Limits
from dragoman.app.sandbox.places import Places
from tests.app.sandbox.boxes import box_of, each_backend, opened, places

LIBRARY = "math decimal fractions statistics datetime random re calendar itertools collections heapq json hashlib zlib"


@each_backend
def test_a_program_may_use_the_library(backend: Backend) -> None:
    names = "".join(f"import {name}\n" for name in [*LIBRARY.split(), "uuid", "csv", "dataclasses"])
    when = "import datetime\nanswer = datetime.datetime.strptime('2024-02-29', '%Y-%m-%d').weekday()"
    came = box_of(backend).run(names + when)
    assert (came.finished, came.value, came.problem) == (True, 3, "")


@pytest.mark.parametrize(
    ("program", "value", "text"),
    [
        ("answer = 7 * 6", 42, "42"),
        ("answer = 6 / 2", 3.0, "3"),
        ("answer = 0.1 + 0.2", 0.1 + 0.2, "0.30000000000000004"),
        ("answer = float('nan')", "nan", "nan"),
        ("answer = [1, 2.0, float('inf')]", [1, 2.0, "inf"], "1, 2, inf"),
        ("answer = 2 ** 100", str(2**100), str(2**100)),
        ("from fractions import Fraction\nanswer = Fraction(1, 3)", "1/3", "1/3"),
        ("answer = {'a': (1, None), 2: True}", {"a": [1, None], "2": True}, "{'a': [1, None], '2': True}"),
        ("print('so'); print(' 12 ')", None, "12"),
        ("answer = 1\nraise SystemExit", 1, "1"),
        ("answer = 'é\\ud800'", "é?", "é?"),
        ("print('é')", None, "é"),
        ("import sys\nprint('aside', file=sys.stderr)\nprint(5)", None, "5"),
    ],
)
def test_an_answer(program: str, value: Any, text: str) -> None:
    came = opened().run(program)
    assert (came.finished, came.problem) == (True, "")
    assert (came.value, came.text) == (value, text)


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("a = 1\nb = a / 0", "ZeroDivisionError: division by zero (line 2)"),
        ("def f(:", "SyntaxError: invalid syntax (line 1)"),
        ("import sys; sys.exit(3)", "it ended with exit status 3"),
        ("import os; os._exit(3)", "it ended with exit status 3"),
        ("import os; os._exit(0)", "it ended without its result"),
        ("import ctypes; ctypes.string_at(0)", "it was ended by signal 11"),
        ("answer = 'x' * 100_000", "its answer is longer"),
        ("answer = []\nfor number in range(9000): answer.append('1234567890')", "its answer is longer"),
        ("answer = 10 ** 5000", "the answer cannot be told"),
        ("def f(): f()\nf()", "RecursionError"),
        ("x = [0] * 10 ** 9", "MemoryError"),
        ("x = 1\nwhile True: x = [x] * 2", "MemoryError"),
        ("answer = " + "(" * 5000 + ")" * 5000, "SyntaxError"),
        ("x = '\0'", "null bytes"),
        ("import numpy", "ModuleNotFoundError: No module named 'numpy' (line 1)"),
        ("input()", "EOFError"),
        ("import threading\nthreading.Thread(target=print).start()", "RuntimeError: can't start new thread"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(program: str, problem: str) -> None:
    came = replace(opened(), limits=Limits(seconds=20.0)).run(program)
    assert not came.finished
    assert problem in came.problem
    assert "\n" not in came.problem


def test_a_program_that_is_too_long_is_not_run() -> None:
    assert "longer than 65536 bytes" in opened().run("#" * 70_000).problem


def test_time_is_the_programs_own() -> None:
    came = replace(opened(), limits=Limits(seconds=0.3)).run("print('begun', flush=True)\nwhile True: pass")
    assert came.problem == "it took more than 0.3 seconds"
    assert came.printed == "begun\n"


def test_a_program_that_closes_everything_is_ended_too() -> None:
    program = "import os, time\nos.closerange(0, 100)\ntime.sleep(50)"
    came = replace(opened(), limits=Limits(seconds=0.5)).run(program)
    assert came.problem == "it took more than 0.5 seconds"
    assert came.seconds < 20


def test_no_folder_and_no_descriptor_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    box, fds = opened(), Path("/proc/self/fd")
    before = len(list(fds.iterdir()))
    for program in ("answer = 1", "while True: print('x' * 1000)", "1 / 0"):
        box.run(program)
    assert list(tmp_path.iterdir()) == []
    assert len(list(fds.iterdir())) == before


def test_one_run_leaves_nothing_for_the_next() -> None:
    box = opened()
    box.run("import math\nmath.pi = 3\nimport builtins\nbuiltins.print = None")
    assert box.run("import math\nprint(math.pi)").text == str(math.pi)


@dataclass(frozen=True)
class Broken:
    """A backend that this machine does not have, or whose child cannot shut itself in."""

    why: str = ""
    name: str = "broken"

    def missing(self) -> str:
        """Why it is missing, where it is."""
        return self.why

    def command(self, places: Places, folder: str) -> list[str]:
        """Python itself."""
        return [places.python, *SWITCHES, CHILD]

    def told(self, places: Places) -> dict[str, Any]:
        """A filter that the kernel does not take: its one instruction is none."""
        return {"landlock": None, "filter": "ffff000000000000"}


def test_without_a_sandbox_nothing_is_run() -> None:
    opened()
    with pytest.raises(NoSandbox, match="nothing could shut it in: broken: no such kernel; broken: broken does not"):
        open_sandbox(backends=[Broken("no such kernel"), Broken()])
    with pytest.raises(NoSandbox, match="not shut in"):
        Sandbox(Broken(), places()).run("answer = 1")
    assert "doctor sandbox" in NoSandbox("", "see dragoman doctor sandbox").hint


def test_the_first_that_works_is_used() -> None:
    opened()
    box = open_sandbox(Limits(seconds=9.0))
    assert box.run("answer = 1").value == 1
    assert box.limits.seconds == 9.0
    assert try_backends([box.backend]) == {box.backend.name: ""}
