"""When somebody should look at a server: bounds on its figures, what rings, and the command that goes on from there.

Nothing rings by one unlucky request: a share rings where its whole interval is past the bound, a jump where Fisher's
exact test says so and it is large besides, drift where the test and the index of stability both do. Each look is a test
of its own: who looks every hour at p below 0.01 hears about two false alarms a week, were it not for the size asked for
besides.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dragoman.serve.drift import Drift
from dragoman.serve.watched import Measure

__all__ = ["Alert", "Alerts", "rung"]


@dataclass(frozen=True)
class Alerts:
    """The bounds past which an alert rings."""

    few: int = 20
    "Fewest requests, and fewest thumbs, of which anything is said."
    errors: float = 0.02
    "The share of requests that may fail in the server."
    p95_seconds: float = 30.0
    "The seconds within which 95 of 100 requests are to be answered."
    slower: float = 2.0
    "How many times slower than before the 95th of 100 requests may become."
    jump: float = 0.05
    "How far the share of refused answers, or of thumbs down, may rise."
    p: float = 0.01
    "How unlikely by chance a jump or a drift has to be."
    stability: float = 0.2
    "The population-stability index of inputs (of their lengths or topics) that is too much."


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert: its name, what is the matter, and the command to go on with."""

    name: str
    said: str
    next: str


def rung(measures: Sequence[Measure], drift: Drift | None, bounds: Alerts, run: str = "") -> list[Alert]:
    """What rings. `run` is the run that is served, for the commands; empty where it is not known."""
    by = {one.name: one for one in measures}
    found = [
        _errors(by["errors"], bounds),
        _slow(by["p95"], bounds),
        _jump("refusals", "answers are refused", by["refused"], bounds, f"dragoman report {run}".strip()),
        _jump("feedback", "thumbs are down", by["thumbs down"], bounds, "dragoman collect"),
        _drift(drift, bounds),
    ]
    return [one for one in found if one is not None]


def _errors(errors: Measure, bounds: Alerts) -> Alert | None:
    if errors.now is None or errors.low is None or errors.n < bounds.few or errors.low <= bounds.errors:
        return None
    said = f"{errors.now:.1%} of {errors.n:,} requests failed in the server [{errors.low:.1%}, {errors.high:.1%}]"
    return Alert("errors", f"{said}; {bounds.errors:.1%} may", "dragoman doctor")


def _slow(p95: Measure, bounds: Alerts) -> Alert | None:
    if p95.now is None or p95.low is None or p95.n < bounds.few:
        return None
    said = f"95 of 100 requests take up to {p95.now:.3g} s [{p95.low:.3g}, {p95.high:.3g}]"
    step = "dragoman serve queue=16"
    if p95.low > bounds.p95_seconds:
        return Alert("latency", f"{said}; {bounds.p95_seconds:g} s may be", step)
    if p95.high_before is not None and p95.low > bounds.slower * p95.high_before:
        return Alert("latency", f"{said}; before it was {p95.before:.3g} s", step)
    return None


def _jump(name: str, what: str, share: Measure, bounds: Alerts, step: str) -> Alert | None:
    if share.now is None or share.before is None or share.p is None or share.n < bounds.few:
        return None
    if share.p >= bounds.p or share.now - share.before <= bounds.jump:
        return None
    chance = f"p {share.p:.2g}"
    return Alert(name, f"{share.now:.1%} of {share.n:,} {what}; before it was {share.before:.1%} ({chance})", step)


def _drift(drift: Drift | None, bounds: Alerts) -> Alert | None:
    if drift is None or drift.n < bounds.few or drift.p >= bounds.p or drift.stability <= bounds.stability:
        return None
    moved = "topics" if drift.topics >= drift.lengths else "lengths"
    said = f"inputs have moved: the stability index of their {moved} is {drift.stability:.2f}, p {drift.p:.2g}"
    return Alert("drift", said, "dragoman collect")
