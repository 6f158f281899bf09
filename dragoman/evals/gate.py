"""The verdict: every target and limit against its measured interval, where what is only likely does not pass."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dragoman.core.config import nearest
from dragoman.core.errors import UserError
from dragoman.core.targets import Criterion
from dragoman.core.types import Estimate
from dragoman.evals.task import LIMITS

__all__ = ["Judged", "Verdict", "judge", "weigh"]

Standing = Literal["met", "unproven", "missed", "unmeasured"]


@dataclass(frozen=True, slots=True)
class Judged:
    """One criterion and what was found."""

    criterion: Criterion
    estimate: Estimate | None
    outcome: Standing
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the scope is met: only when every criterion is, at the bad side of its interval."""

    passed: bool
    criteria: tuple[Judged, ...]
    headline: str

    def summary(self) -> dict[str, Any]:
        """JSON types for the record of a run."""
        return {
            "passed": self.passed,
            "headline": self.headline,
            "criteria": [
                {
                    "metric": judged.criterion.metric,
                    "kind": judged.criterion.kind,
                    "asked": judged.criterion.asked,
                    "estimate": asdict(judged.estimate) if judged.estimate else None,
                    "outcome": judged.outcome,
                    "sentence": judged.sentence,
                }
                for judged in self.criteria
            ],
        }


def judge(estimates: Mapping[str, Estimate], criteria: Sequence[Criterion]) -> Verdict:
    """Hold what was measured against what was asked.

    Raises UserError with the nearest name when a criterion names neither a measured figure nor a known limit, and when
    there is nothing to judge by.
    """
    if not criteria:
        raise UserError("there is no target to judge by", 'say what good enough means: scope.target.macro_f1=">= 0.80"')
    known = {*estimates, *LIMITS}
    for criterion in criteria:
        if criterion.metric not in known:
            raise UserError(f"there is no figure named '{criterion.metric}'", nearest(criterion.metric, known))
    judged = tuple(weigh(criterion, estimates.get(criterion.metric)) for criterion in criteria)
    passed = all(one.outcome == "met" for one in judged)
    return Verdict(passed, judged, _headline(passed, judged))


def weigh(criterion: Criterion, estimate: Estimate | None) -> Judged:
    """One criterion against its figure; a figure that was not measured meets nothing."""
    name = f"{criterion.metric} {criterion.asked}"
    if estimate is None:
        return Judged(criterion, None, "unmeasured", f"{name}: it was not measured")
    outcome = criterion.outcome(estimate)
    found = f"{_number(estimate.value)} [{_number(estimate.low)}, {_number(estimate.high)}] on {estimate.n:,}"
    said = {
        "met": "met, also at the bad end of the interval",
        "unproven": "the figure passes, its interval does not" + _settled_by(criterion, estimate),
        "missed": "missed",
    }[outcome]
    return Judged(criterion, estimate, outcome, f"{name}: {found}: {said}")


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"


def _settled_by(criterion: Criterion, estimate: Estimate) -> str:
    """How many measurements would prove it if the figure stays: an interval shrinks with the root of the rows."""
    end = estimate.low if criterion.higher else estimate.high
    room = abs(estimate.value - criterion.bound)
    if not math.isfinite(end) or room <= 0 or estimate.n <= 1:
        return ""
    rows = estimate.n * (abs(end - estimate.value) / room) ** 2
    return f"; about {math.ceil(rows):,} measurements would prove it if the figure stays" if rows < 1e7 else ""


def _headline(passed: bool, judged: Sequence[Judged]) -> str:
    if passed:
        return f"The scope is met: {len(judged)} of {len(judged)} criteria proven."
    said = [
        f"{', '.join(one.criterion.metric for one in judged if one.outcome == outcome)} {outcome}"
        for outcome in ("missed", "unproven", "unmeasured")
        if any(one.outcome == outcome for one in judged)
    ]
    met = sum(one.outcome == "met" for one in judged)
    return f"The scope is not met: {'; '.join(said)}; {met} of {len(judged)} criteria proven."
