"""What a proof is: cases that were tried, whether each of them held, and the words in which it is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Case", "Proof", "differing"]


@dataclass(frozen=True)
class Case:
    """One thing that was tried."""

    name: str
    held: bool
    times: int = 1
    "how often"
    said: str = ""
    "what came out instead, where it did not hold; else what is worth telling"


@dataclass(frozen=True)
class Proof:
    """All cases of one promise. It holds where every case does, and where there is one."""

    name: str
    done: str
    "what was done"
    often: str
    "how often"
    compared: str
    "what was looked at"
    cases: tuple[Case, ...]
    notes: tuple[str, ...] = ()
    "what else it found out, one line each"

    @property
    def held(self) -> bool:
        """Whether the promise was kept."""
        return bool(self.cases) and all(case.held for case in self.cases)

    @property
    def times(self) -> int:
        """How often something was tried."""
        return sum(case.times for case in self.cases)

    @property
    def result(self) -> str:
        """What came out, in one line."""
        kept = sum(case.held for case in self.cases)
        return f"{kept} of {len(self.cases)} cases held"

    def json(self) -> dict[str, Any]:
        """As a program reads it."""
        cases = [{"name": one.name, "held": one.held, "times": one.times, "said": one.said} for one in self.cases]
        return {"held": self.held, "times": self.times, "cases": cases, "notes": list(self.notes)}


def differing(one: dict[str, str], other: dict[str, str]) -> str:
    """Which parts of two trainings are not the same bits, as a phrase; empty where all are."""
    names: Sequence[str] = [name for name in (one | other) if one.get(name) != other.get(name)]
    return f"{', '.join(names)} not the same" if names else ""
