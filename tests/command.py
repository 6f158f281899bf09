"""The command line as tests use it: in this process for speed, or as a process of its own where signals matter."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dragoman.cli import main

__all__ = ["ROOT", "Said", "dragoman", "ended", "process", "spawn"]

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Said:
    """What a command answered: its exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The object on the last line of standard output."""
        value: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return value

    @property
    def whole(self) -> str:
        """Both streams, spaces and frames of cards evened out, so that a wrapped sentence can be looked for."""
        return " ".join((self.out + self.err).replace("│", " ").split())


def dragoman(*words: str, folder: Path | None = None, said: str | None = None) -> Said:
    """Run one command in this process, standing in `folder`; `said` is its standard input.

    An error that is a bug is raised as it is.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.ExitStack() as stack:
        if folder is not None:
            stack.enter_context(contextlib.chdir(folder))
        if said is not None:
            stack.callback(setattr, sys, "stdin", sys.stdin)
            sys.stdin = io.StringIO(said)
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        code = main(list(words))
    return Said(code, out.getvalue(), err.getvalue())


def spawn(*words: str, folder: Path, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Start one command as a process of its own, one thread, no network."""
    said = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "dragoman", *words],
        cwd=folder,
        env={**os.environ, **said, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_hears_ctrl_c,
    )


def _hears_ctrl_c() -> None:
    """Tests that were started in the background ignore Ctrl-C, and what they start would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def process(*words: str, folder: Path, environment: dict[str, str] | None = None, seconds: float = 120) -> Said:
    """Run one command as a process of its own to its end."""
    with spawn(*words, folder=folder, environment=environment) as running:
        out, err = running.communicate(timeout=seconds)
    return Said(running.returncode, out, err)


def ended(running: "subprocess.Popen[str]", seconds: float = 30) -> tuple[str, str]:
    """What a process that was asked to stop still said. One that does not stop is killed: no test waits for it."""
    try:
        return running.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        running.kill()
        raise
