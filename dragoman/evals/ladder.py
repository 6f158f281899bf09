"""The stop rule: climb from cheap to dear, stop at the first rung proven good enough, promote nothing for noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from dragoman.core.doors import Metric, Row
from dragoman.core.targets import Criterion
from dragoman.core.types import Estimate
from dragoman.evals.compare import SURE, Comparison, after_holm, difference
from dragoman.evals.gate import Judged, weigh

__all__ = ["Choice", "Move", "RungResult", "choose", "next_move", "standing"]

UNADAPTED = ("zero_shot", "few_shot", "chain_of_thought", "rag")


@dataclass(frozen=True)
class RungResult:
    """What one rung showed on validation."""

    name: str
    estimates: Mapping[str, Estimate]
    "Every metric and limit that was measured, such as macro_f1, p95_ms, size_mb, forgetting."
    cost: float = 0.0
    "Seconds it took to build."
    measured: Mapping[str, Row] = field(default_factory=dict)
    "The rows of each metric, the same validation rows for every rung."
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """What to do next: climb to `rung`, or stop; and why."""

    action: Literal["climb", "stop"]
    rung: str
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The rung that is taken, the answer to the project's question, and the neighbours compared on the way."""

    rung: str
    answer: Literal["met", "no adaptation needed", "none meets the target"]
    reason: str
    comparisons: tuple[tuple[str, str, Comparison], ...]
    "Each (incumbent, challenger, comparison): a is the incumbent, b the challenger."


def standing(rung: RungResult, criteria: Sequence[Criterion]) -> tuple[Judged, ...]:
    """Every target and limit against what the rung showed; what was not measured is not met."""
    return tuple(weigh(criterion, rung.estimates.get(criterion.metric)) for criterion in criteria)


def _meets(rung: RungResult, criteria: Sequence[Criterion]) -> bool:
    return all(judged.outcome == "met" for judged in standing(rung, criteria))


def _within_limits(rung: RungResult, criteria: Sequence[Criterion]) -> bool:
    return all(judged.outcome == "met" for judged in standing(rung, criteria) if judged.criterion.kind == "limit")


def next_move(
    done: Sequence[RungResult], rungs: Sequence[str], criteria: Sequence[Criterion], climb_all: bool = False
) -> Move:
    """What to do after the rungs done so far; `rungs` are the names from cheap to dear.

    Stops at the first rung whose every target and limit is met at the bad side of its interval; `climb_all` goes on.
    """
    reached = {rung.name for rung in done}
    rest = [name for name in rungs if name not in reached]
    met = next((rung for rung in done if _meets(rung, criteria)), None)
    if met is not None and not climb_all:
        return Move("stop", met.name, f"{met.name} meets every target and limit at the bad end of its interval")
    if not rest:
        return Move("stop", met.name if met else "", "every rung was climbed")
    if not done:
        return Move("climb", rest[0], f"{rest[0]} is the cheapest rung")
    if met is not None:
        return Move("climb", rest[0], f"{met.name} is proven good enough; the others are climbed to compare")
    short = [judged.sentence for judged in standing(done[-1], criteria) if judged.outcome != "met"]
    return Move("climb", rest[0], f"{done[-1].name} is not proven good enough: {'; '.join(short)}")


def choose(
    done: Sequence[RungResult],
    criteria: Sequence[Criterion],
    metrics: Mapping[str, Metric],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Choice:
    """The rung to take of those climbed, in the order climbed (cheap to dear).

    The cheapest that meets everything. Where none does: the incumbent starts as the cheapest within the limits (of
    all when none is) and is replaced only by a rung the paired test calls better on the first target, the number
    of rungs allowed for; ties and noise never promote.
    """
    if not done:
        raise ValueError("no rung was climbed")
    name = _leading(criteria, metrics)
    steps = _neighbours(done, name, metrics, resamples, seed) if name else ()
    met = next((rung for rung in done if _meets(rung, criteria)), None)
    if met is not None and met.name in UNADAPTED:
        reason = f"{met.name} meets every target and limit: training is not justified"
        return Choice(met.name, "no adaptation needed", reason, steps)
    if met is not None:
        return Choice(met.name, "met", f"{met.name} is the cheapest rung that meets every target and limit", steps)
    able = [rung for rung in done if _within_limits(rung, criteria)] or list(done)
    best = able[0]
    for rung in able[1:]:
        if name in best.measured and name in rung.measured:
            found = _compare(best, rung, name, metrics, resamples, seed)
            if found.better == "b" and found.p * (len(able) - 1) <= SURE:  # Bonferroni: every rung had its chance
                best = rung
    short = [judged.sentence for judged in standing(best, criteria) if judged.outcome != "met"]
    reason = f"no rung meets every target and limit; {best.name} is the cheapest that none beats: {'; '.join(short)}"
    return Choice(best.name, "none meets the target", reason, steps)


def _leading(criteria: Sequence[Criterion], metrics: Mapping[str, Metric]) -> str:
    """The metric rungs are compared by: that of the first target, or of any criterion that names one."""
    ordered = sorted(criteria, key=lambda criterion: criterion.kind != "target")
    return next((criterion.metric for criterion in ordered if criterion.metric in metrics), "")


def _compare(
    a: RungResult, b: RungResult, name: str, metrics: Mapping[str, Metric], resamples: int, seed: int
) -> Comparison:
    return difference(
        metrics[name], a.measured[name], b.measured[name], a.groups, name=name, resamples=resamples, seed=seed
    )


def _neighbours(
    done: Sequence[RungResult], name: str, metrics: Mapping[str, Metric], resamples: int, seed: int
) -> tuple[tuple[str, str, Comparison], ...]:
    """Each rung against the one before it, p adjusted for how many pairs are looked at."""
    pairs = [(a, b) for a, b in pairwise(done) if name in a.measured and name in b.measured]
    found = after_holm([_compare(a, b, name, metrics, resamples, seed) for a, b in pairs])
    return tuple((a.name, b.name, comparison) for (a, b), comparison in zip(pairs, found, strict=True))
