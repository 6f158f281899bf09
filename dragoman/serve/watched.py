"""What a journal says of a server: its figures in a time and in the time before, with intervals, and hour by hour."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from dragoman.core.proportion import Z, wilson
from dragoman.serve.journal_read import Figures, figures

__all__ = ["HOUR", "Course", "Measure", "Slot", "follow", "measures", "merged", "more_often", "quantile_interval"]

HOUR = 3600.0
SMALL = 35.0  # a term so far below the highest, as a logarithm, adds nothing: e^-35 is 6e-16


@dataclass(frozen=True, slots=True)
class Slot:
    """What happened in a part of the time that is watched; it begins at `start`, in seconds since 1970."""

    start: float
    end: float
    figures: Figures


@dataclass(frozen=True, slots=True)
class Course:
    """A time in parts, and the time before it as a whole."""

    slots: tuple[Slot, ...]
    now: Figures
    before: Figures
    hours: float
    hours_before: float


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure in the time that is watched, and before it; None where there was nothing to measure."""

    name: str
    unit: str
    "count, share, seconds, or rate (by the second)"
    now: float | None
    before: float | None
    low: float | None = None
    "the ends of the 95 % interval of `now`"
    high: float | None = None
    p: float | None = None
    "of a share: how likely so many or more are where it is what it was before (Fisher's exact test, one-sided)"
    n: int = 0
    "of how many"
    high_before: float | None = None
    "the upper end of the interval of `before`"


def follow(path: Path, until: float, hours: float, hours_before: float, parts: int = 24) -> Course:
    """The last `hours` in `parts`, and the `hours_before` behind them. Raises UserError where that is no journal."""
    since = until - hours * HOUR
    width = hours * HOUR / parts
    edges = [since + place * width for place in range(parts)] + [until]
    slots = [
        Slot(start, end, figures(path, since=start, until=end).get("", Figures())) for start, end in pairwise(edges)
    ]
    before = figures(path, since=since - hours_before * HOUR, until=since).get("", Figures())
    return Course(tuple(slots), merged([slot.figures for slot in slots]), before, hours, hours_before)


def merged(parts: Sequence[Figures]) -> Figures:
    """The figures of all parts together."""
    statuses: dict[int, int] = {}
    for part in parts:
        for status, count in part.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    return Figures(
        requests=sum(one.requests for one in parts),
        statuses=statuses,
        refused=sum(one.refused for one in parts),
        read=sum(one.read for one in parts),
        written=sum(one.written for one in parts),
        guard_hits=sum(one.guard_hits for one in parts),
        up=sum(one.up for one in parts),
        down=sum(one.down for one in parts),
        corrected=sum(one.corrected for one in parts),
        seconds=tuple(sorted(value for one in parts for value in one.seconds)),
        first=tuple(sorted(value for one in parts for value in one.first)),
        writing=sum(one.writing for one in parts),
    )


def measures(course: Course) -> list[Measure]:
    """What is told of a course, in the order of a reader's questions."""
    now, before = course.now, course.before
    return [
        Measure("requests", "count", now.requests, _same_time(before.requests, course)),
        _share("errors", (now.failed, now.requests), (before.failed, before.requests)),
        *(_quantile(f"p{share:.0%}"[:-1], "seconds", share, now, before) for share in (0.5, 0.95)),
        *(_quantile(f"first token p{share:.0%}"[:-1], "first", share, now, before) for share in (0.5, 0.95)),
        Measure("tokens a second", "rate", _speed(now), _speed(before)),
        Measure("tokens written", "count", now.written, _same_time(before.written, course)),
        _share("refused", (now.refused, now.requests), (before.refused, before.requests)),
        Measure("guard hits", "count", now.guard_hits, _same_time(before.guard_hits, course)),
        _share("thumbs down", (now.down, now.up + now.down), (before.down, before.up + before.down)),
        _share("corrected", (now.corrected, now.requests), (before.corrected, before.requests)),
    ]


def _same_time(count: int, course: Course) -> float:
    """A count of the time before, in as many hours as are watched."""
    return count * course.hours / course.hours_before


def _speed(figures: Figures) -> float | None:
    """Tokens by the second of an answer, its waiting included."""
    return figures.written / figures.writing if figures.writing else None


def _share(name: str, now: tuple[int, int], before: tuple[int, int]) -> Measure:
    low, high = wilson(now[0] / now[1], now[1]) if now[1] else (None, None)
    return Measure(
        name,
        "share",
        now[0] / now[1] if now[1] else None,
        before[0] / before[1] if before[1] else None,
        low,
        high,
        more_often(now, before) if now[1] and before[1] else None,
        now[1],
        wilson(before[0] / before[1], before[1])[1] if before[1] else None,
    )


def _quantile(name: str, of: str, share: float, now: Figures, before: Figures) -> Measure:
    values, earlier = (getattr(one, of) for one in (now, before))
    low, high = quantile_interval(values, share)
    ends = quantile_interval(earlier, share)
    return Measure(
        name,
        "seconds",
        now.quantile(of, share),
        before.quantile(of, share),
        low,
        high,
        n=len(values),
        high_before=ends[1],
    )


def quantile_interval(values: Sequence[float], share: float) -> tuple[float | None, float | None]:
    """A 95 % interval of a quantile of rising values, whatever their distribution: the values whose ranks lie that far
    from the quantile's (Thompson 1936, with the binomial as a normal). None where there are none."""
    n = len(values)
    if not n:
        return None, None
    half = Z * math.sqrt(n * share * (1 - share))
    low, high = math.floor(n * share - half), math.ceil(n * share + half)
    return values[max(0, low - 1)], values[min(n - 1, high)]  # ranks begin at 1: these are `low` and `high` + 1


def more_often(now: tuple[int, int], before: tuple[int, int]) -> float:
    """How likely so many hits or more are now, given all hits, where both shares are one: Fisher's exact test (1922).

    Each pair is hits and trials.
    """
    hits, trials = now
    every, whole = now[0] + before[0], now[1] + before[1]
    if not every or not hits:
        return 1.0
    start = _log_ways(every, hits) + _log_ways(whole - every, trials - hits) - _log_ways(whole, trials)
    # In logarithms, the total as parts of the highest term: the first may be below the smallest double, 5e-324.
    term = top = start
    total = 1.0
    for count in range(hits, min(every, trials)):
        others = whole - every - (trials - count)
        term += math.log((every - count) * (trials - count) / ((count + 1) * (others + 1)))
        if term > top:
            total, top = total * math.exp(top - term), term
        total += math.exp(term - top)
        if term < top - SMALL and count > every * trials / whole:
            break
    return math.exp(min(0.0, top + math.log(total)))


def _log_ways(n: int, k: int) -> float:
    """The logarithm of the number of ways to choose k of n."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
