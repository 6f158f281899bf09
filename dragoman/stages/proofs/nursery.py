"""Processes that train and may be killed at any instant, raised one at a time by a process that does nothing else.

`python -m dragoman.stages.proofs.nursery fork` reads one job a line. Where a fork is safe, torch is imported once and
each child is forked from a process that has trained before: a start costs 20 ms instead of 4 s. On macOS, whose own
libraries do not survive a fork, each child is a process of its own (`spawn`).
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import dragoman

__all__ = ["Answer", "Job", "Nursery", "nursery"]

FORKS = sys.platform == "linux"
_MODULE = "dragoman.stages.proofs.nursery"
_BEGINS = "training"
_ENDED = "ended"


@dataclass(frozen=True)
class Job:
    """A trial to be trained in a folder; the same job again goes on where the one before was killed."""

    trial: str
    folder: str
    seed: int = 0
    changes: dict[str, Any] = field(default_factory=dict)
    "settings of the loop that differ"

    @property
    def answer(self) -> Path:
        """Where the child writes what came out, once it is done."""
        return Path(f"{self.folder}.json")

    @property
    def order(self) -> Path:
        """Where the child writes, before it goes on, which examples each step learnt from: one JSON list a line."""
        return Path(f"{self.folder}.order")


@dataclass(frozen=True)
class Answer:
    """What a training left."""

    bits: dict[str, str]
    "SHA-256 of each part of it"
    damaged: int
    "states that were set aside"
    seconds: float
    "of this life, from its first step on"


@dataclass(frozen=True)
class Nursery:
    """The process that raises the others, and its three channels."""

    process: "subprocess.Popen[str]"
    errors: IO[str]

    def start(self, job: Job) -> int:
        """Begin a job; the id of the process, once it is about to train. RuntimeError where it never gets there."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(asdict(job)) + "\n")
        self.process.stdin.flush()
        return int(self._hear(_BEGINS))

    def ended(self) -> int:
        """Wait for the child: its exit code, or the signal that ended it below zero."""
        return int(self._hear(_ENDED))

    def finished(self, job: Job) -> Answer:
        """Do a job to its end. Raises RuntimeError, with what the child said, where it fails by itself."""
        self.start(job)
        if code := self.ended():
            raise RuntimeError(f"a training ended with {code} without being killed\n{self._complaint()}")
        return Answer(**json.loads(job.answer.read_text()))

    def _hear(self, word: str) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        first, _, rest = line.strip().partition(" ")
        if first != word:
            raise RuntimeError(f"a training could not be started: {line.strip()}\n{self._complaint()}")
        return rest

    def _complaint(self) -> str:
        self.errors.seek(0)
        return self.errors.read()[-4000:]


@contextlib.contextmanager
def nursery(fork: bool = FORKS) -> Iterator[Nursery]:
    """A nursery while the block runs; whatever still trains in it then is killed."""
    paths = [str(Path(dragoman.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    # One thread and no GPU: a forked child has no others, and bits are the same only for the same number of threads.
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    surroundings["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", _MODULE, "fork" if fork else "spawn"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=surroundings,
            start_new_session=True,  # so that Ctrl-C reaches the one who waits, who ends all of them
        )
        with process:
            try:
                yield Nursery(process, errors)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def _raise_children(fork: bool) -> None:
    """Read jobs until there are no more, one child each."""
    if fork:
        _warm()
    for line in sys.stdin:
        code = _forked(line) if fork else _spawned(line)
        print(_ENDED, code, flush=True)


def _warm() -> None:
    """Train once before the first fork: the first step of a process imports 800 modules, 1.6 s that all then share."""
    import torch

    from dragoman.train.trial import TRIALS, train

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        train(TRIALS[0], Path(folder), changes={"steps": 1})


def _forked(line: str) -> int:
    child = os.fork()
    if child == 0:
        os._exit(_work(line))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _spawned(line: str) -> int:
    return subprocess.run(
        [sys.executable, "-m", _MODULE, "work", line], stdin=subprocess.DEVNULL, check=False
    ).returncode


def _work(line: str) -> int:
    """Train and write the answer; the exit code."""
    try:
        _train(Job(**json.loads(line)))
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        return 1
    return 0


def _train(job: Job) -> None:
    import torch

    from dragoman.core.durable import write_json
    from dragoman.train.trial import bits, train, trial

    torch.set_num_threads(1)
    folder = Path(job.folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with job.order.open("a") as order:
        print(_BEGINS, os.getpid(), flush=True)
        began = time.monotonic()

        def log(step: Any) -> None:
            order.write(json.dumps([step.number, *step.examples]) + "\n")
            order.flush()

        outcome = train(trial(job.trial), folder, job.seed, job.changes, log=log)
    seconds, damaged = time.monotonic() - began, len(list(folder.glob("*.damaged-*")))
    write_json(job.answer, {"bits": bits(outcome, folder), "damaged": damaged, "seconds": seconds})


if __name__ == "__main__":
    if sys.argv[1] == "work":
        sys.exit(_work(sys.argv[2]))
    _raise_children(sys.argv[1] == "fork")
