"""The sandbox: a program goes in as a text, and what comes out is what it printed and what it answered.

Covered: files, network, processes, signals, the environment, memory, time, what is printed. Not covered: a fault of the
kernel; with Landlock alone, whether a path exists; and that an answer is true, for it is the program's own word.
"""

import json
import math
import secrets
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dragoman.app.sandbox.backends import BACKENDS, Backend
from dragoman.app.sandbox.outcome import Limits, Outcome
from dragoman.app.sandbox.places import Places, find_places
from dragoman.app.sandbox.talk import Heard, talk
from dragoman.core.errors import UserError

__all__ = ["NoSandbox", "Sandbox", "open_sandbox", "try_backends"]

CHECK, CHECKED = "answer = 6 * 7", 42
HINT = "see what this machine has with: dragoman doctor sandbox"


class NoSandbox(UserError):
    """This machine has nothing that a program could be shut in with, so none is run."""


@dataclass(frozen=True)
class Sandbox:
    """Runs programs, each in a process of its own that is shut in and gone afterwards."""

    backend: Backend
    places: Places
    limits: Limits = field(default_factory=Limits)

    def run(self, program: str) -> Outcome:
        """What came of a program. Raises NoSandbox where it could not be shut in; then it was not run."""
        limits = self.limits
        if len(program.encode("utf-8", "surrogatepass")) > limits.program:
            return Outcome(False, problem=f"the program is longer than {limits.program} bytes")
        told = {**self.backend.told(self.places), "limits": _resources(limits)}
        first = f"{json.dumps(told)}\n{json.dumps(program)}\n".encode("ascii")
        word = secrets.token_hex(16).encode()
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
            process = subprocess.Popen(
                self.backend.command(self.places, folder),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env={},
                cwd=folder,
                close_fds=True,
                start_new_session=True,
            )
            heard = talk(process, first, word + b"\n", limits.seconds, limits.output, limits.result)
        if not heard.locked:
            why = bytes(heard.results).decode("utf-8", "replace").strip().splitlines()[-1:] or [heard.problem]
            raise NoSandbox(f"{self.backend.name} does not work here: {why[0][:300]}", HINT)
        return _outcome(heard, word, limits, time.monotonic() - begun)


def _resources(limits: Limits) -> dict[str, int]:
    """The child's limits by the names of Python's module `resource`."""
    none = ("RLIMIT_NPROC", "RLIMIT_FSIZE", "RLIMIT_CORE", "RLIMIT_MEMLOCK", "RLIMIT_MSGQUEUE")
    some = {
        "RLIMIT_CPU": math.ceil(limits.seconds) + 1,
        "RLIMIT_AS": limits.memory,
        "RLIMIT_NOFILE": limits.files,
    }
    return {**dict.fromkeys(none, 0), **some}


def _outcome(heard: Heard, word: bytes, limits: Limits, seconds: float) -> Outcome:
    printed = bytes(heard.printed[: limits.output]).decode("utf-8", "replace")
    if heard.problem:
        return Outcome(False, printed=printed, problem=heard.problem, seconds=seconds)
    if heard.status != 0:
        return Outcome(False, printed=printed, problem=_died(heard.status), seconds=seconds)
    said = _read(heard.rest, word)
    if said is None:
        return Outcome(False, printed=printed, problem="it ended without its result", seconds=seconds)
    problem = str(said["problem"])
    return Outcome(not problem, said.get("answer"), "answer" in said, printed, problem, seconds)


def _died(status: int | None) -> str:
    if status is not None and (status < 0 or status > 128):
        return f"it was ended by signal {-status if status < 0 else status - 128}"
    return f"it ended with exit status {status}"


def _read(line: bytes, word: bytes) -> dict[str, Any] | None:
    """The result behind the word that only this run knows; None where it is not there, or is no plain JSON."""
    mark, _, text = line.partition(b" ")
    if not secrets.compare_digest(mark, word):
        return None
    try:
        said = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and isinstance(said.get("problem"), str) else None


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def try_backends(backends: Sequence[Backend] = BACKENDS) -> dict[str, str]:
    """Why each backend cannot be used on this machine, by name; empty for one that ran a program here."""
    found = {}
    places: Places | None = None
    for backend in backends:
        why = backend.missing()
        if not why:
            try:
                places = places or find_places()
                came = Sandbox(backend, places, Limits(seconds=20.0)).run(CHECK)
                why = "" if came.finished and came.value == CHECKED else f"a first program failed: {came.problem}"
            except NoSandbox as error:
                why = error.problem
            except OSError as error:
                why = str(error)
        found[backend.name] = why
    return found


def open_sandbox(limits: Limits | None = None, backends: Sequence[Backend] = BACKENDS) -> Sandbox:
    """The first backend that works here, seen to run a program. Raises NoSandbox, saying of each why it does not."""
    reasons = []
    for backend in backends:
        why = try_backends([backend])[backend.name]
        if not why:
            return Sandbox(backend, find_places(), limits or Limits())
        reasons.append(f"{backend.name}: {why}")
    raise NoSandbox("no program is run here, for nothing could shut it in: " + "; ".join(reasons), HINT)
