"""The trial of a sandbox: every attempt is run in it, and the witness says which of them got out."""

import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dragoman.app.sandbox.attempts import ATTEMPTS, Attempt
from dragoman.app.sandbox.box import Sandbox
from dragoman.app.sandbox.outcome import Outcome
from dragoman.app.sandbox.witness import Host, watched

__all__ = ["Cost", "Verdict", "attempt_all", "measure_cost"]

HURRIED = 1.0  # seconds that an attempt gets that never ends
LATE = 5.0  # seconds after its limit by which it must be gone; the start of Python on a busy machine is among them
SMALL = "import math\nanswer = sum(math.isqrt(number) for number in range(10_000))\n"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one attempt."""

    number: int
    name: str
    escaped: str
    "what it got; empty where it got nothing"
    ended: str
    "how it ended"


def attempt_all(box: Sandbox, attempts: Sequence[Attempt] = ATTEMPTS) -> list[Verdict]:
    """One verdict an attempt, in order. Nothing that an attempt gets is of use or stays. Raises NoSandbox."""
    found = []
    for number, attempt in enumerate(attempts, 1):
        limits = replace(box.limits, seconds=HURRIED) if attempt.hurried else box.limits
        with watched() as host:
            came = replace(box, limits=limits).run(f"HOST = {host.told()!r}\n{attempt.program}")
            got = _got(came, host, limits.seconds)
        found.append(Verdict(number, attempt.name, got, came.problem or "it ran to its end"))
    return found


def _got(came: Outcome, host: Host, seconds: float) -> str:
    """What an attempt got, by what it says and by what the witness sees; empty where that is nothing."""
    said = f"{came.printed} {came.value}"
    found = ["it says so"] if "GOT" in came.printed else []
    found += ["the secret came out"] if host.content in said else []
    found += ["a forged result was taken"] if came.value == "forged" else []
    found += ["it ran on"] if came.seconds > seconds + LATE else []
    harm = host.harm()
    return ", ".join([*found, harm] if harm else found)


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of a small program from start to end, the median of several runs."""

    plain: float
    "in a Python of its own that nothing shuts in"
    boxed: float
    runs: int


def measure_cost(box: Sandbox, runs: int = 15) -> Cost:
    """What being shut in costs. The two kinds of run take turns, so that a busy moment falls on both."""
    plain, boxed = [], []
    for _ in range(runs):
        begun = time.perf_counter()
        subprocess.run([box.places.python, "-I", "-S", "-c", SMALL], env={}, check=True)
        middle = time.perf_counter()
        box.run(SMALL)
        plain.append(middle - begun)
        boxed.append(time.perf_counter() - middle)
    return Cost(1000 * statistics.median(plain), 1000 * statistics.median(boxed), runs)
