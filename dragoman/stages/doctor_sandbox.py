"""The part of `dragoman doctor` that tries to get out of the sandbox, by each way to shut a program in."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from dragoman.app.sandbox.attempts import ATTEMPTS, Attempt
from dragoman.app.sandbox.backends import BACKENDS, Backend
from dragoman.app.sandbox.box import Sandbox, try_backends
from dragoman.app.sandbox.places import find_places
from dragoman.app.sandbox.trial import Verdict, attempt_all, measure_cost
from dragoman.core.show import Show

__all__ = ["try_sandbox"]


def try_sandbox(
    show: Show, backends: Sequence[Backend] = BACKENDS, attempts: Sequence[Attempt] = ATTEMPTS, runs: int = 15
) -> int:
    """Run every attempt in every backend there is, and show what came of each; 1 where one got out or none could run.

    What it costs is the median of so many runs of a small program.
    """
    missing = try_backends(backends)
    there = [backend for backend in backends if not missing[backend.name]]
    facts: dict[str, Any] = {name: {"missing": why} for name, why in missing.items()}
    rows: list[tuple[str, str]] = []
    verdicts: dict[str, list[Verdict]] = {}
    for backend in backends:
        if missing[backend.name]:
            rows.append((backend.name, missing[backend.name]))
            continue
        box = Sandbox(backend, find_places())
        found = attempt_all(box, attempts)
        cost = measure_cost(box, runs)
        out = sum(bool(verdict.escaped) for verdict in found)
        verdicts[backend.name] = found
        price = f"{cost.boxed:.0f} ms a program, {cost.plain:.0f} ms without"
        rows.append((backend.name, f"{out} of {len(found)} got out; {price} (medians of {cost.runs})"))
        facts[backend.name] |= {
            "escaped": out,
            "attempts": [asdict(verdict) for verdict in found],
            "milliseconds": {"boxed": cost.boxed, "plain": cost.plain, "runs": cost.runs},
        }
    if there:
        table = [
            (str(number), attempt.name, *(_told(found[number - 1]) for found in verdicts.values()))
            for number, attempt in enumerate(attempts, 1)
        ]
        show.table("attempts to get out", ("", "attempt", *verdicts), table)
    escaped = any(verdict.escaped for found in verdicts.values() for verdict in found)
    good = bool(there) and not escaped
    rows += [] if there else [("so", "no program that a model writes is run on this machine")]
    show.card("the sandbox", rows, mark="good" if good else "bad")
    show.result({"backends": facts, "used": there[0].name if there else "", "good": good})
    return 0 if good else 1


def _told(verdict: Verdict) -> str:
    return f"ESCAPED: {verdict.escaped}" if verdict.escaped else "held"
