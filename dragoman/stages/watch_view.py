"""What `dragoman watch` shows of a course: rows of words for a table, raw figures for programs, and the chart."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from dragoman.report.axes import NARROW, WIDE
from dragoman.report.lines import Across, Panel, Series, panels
from dragoman.report.numbers import MISSING, brief, duration, probability, quality, whole
from dragoman.serve.drift import Drift
from dragoman.serve.journal_read import Figures
from dragoman.serve.watched import HOUR, Course, Measure, Slot

__all__ = ["charts", "drift_rows", "figures_of", "model_rows", "rows", "span"]


def span(course: Course) -> str:
    """Which times are compared."""
    return f"the last {brief(course.hours)} h against the {brief(course.hours_before)} h before"


def rows(measures: Sequence[Measure]) -> list[tuple[str, ...]]:
    """A row a figure: its name, now, the interval, before, and p."""
    return [
        (
            one.name,
            _write(one.unit, one.now),
            f"[{_write(one.unit, one.low)}, {_write(one.unit, one.high)}]" if one.low is not None else "",
            _write(one.unit, one.before),
            probability(one.p) if one.p is not None else "",
        )
        for one in measures
    ]


def _write(unit: str, value: float | None) -> str:
    if value is None:
        return MISSING
    if unit == "share":
        return f"{value:.1%}"
    if unit == "seconds":
        return duration(value)
    return whole(value) if unit == "count" else brief(value)


def drift_rows(drift: Drift | None) -> list[tuple[str, ...]]:
    """A row a figure of drift: its name, its value, and what it means."""
    if drift is None:
        return []
    chance = f"about {drift.chance:.2f} by chance alone; 0 is none"
    return [
        ("stability of lengths", quality(drift.lengths, 2), chance),
        ("stability of topics", quality(drift.topics, 2), chance),
        ("distance", quality(drift.distance), f"p {probability(drift.p)} where nothing has moved"),
        ("inputs", whole(drift.n), f"against {whole(drift.reference)}"),
    ]


def model_rows(models: Mapping[str, Figures]) -> list[tuple[str, ...]]:
    """A row a model: its name, requests, failures, p95, refused answers and thumbs."""
    return [
        (
            name,
            whole(one.requests),
            whole(one.failed),
            duration(one.quantile("seconds", 0.95)),
            whole(one.refused),
            f"{one.up} up, {one.down} down",
        )
        for name, one in models.items()
    ]


def figures_of(measures: Sequence[Measure], drift: Drift | None, against: str) -> dict[str, Any]:
    """The same as JSON types, with every digit."""
    named = {one.name: {key: value for key, value in asdict(one).items() if key != "name"} for one in measures}
    told = asdict(drift) | {"stability": drift.stability} if drift is not None else None
    return {"figures": named, "drift": told, "against": against}


def charts(course: Course) -> dict[str, str]:
    """The course of the time that is watched, as SVG in two widths: load, times, and shares."""
    until = course.slots[-1].end
    width = (course.slots[0].end - course.slots[0].start) / HOUR

    def line(name: str, values: Sequence[float | None], kind: str = "") -> Series:
        middles = [((slot.start + slot.end) / 2 - until) / HOUR for slot in course.slots]
        points = [(x, y) for x, y in zip(middles, values, strict=True) if y is not None]
        return Series(name, points, kind)

    parts = [slot.figures for slot in course.slots]
    shown = [
        Panel(
            "requests an hour",
            (
                line("all", [one.requests / width for one in parts]),
                line("failed", [one.failed / width for one in parts], "bad"),
            ),
            low=0.0,
            height=130,
            write=brief,
        ),
        Panel(
            "seconds",
            (
                line("p95", [one.quantile("seconds", 0.95) for one in parts]),
                line("p50", [one.quantile("seconds", 0.5) for one in parts], "second"),
            ),
            low=0.0,
            height=130,
            write=duration,
        ),
        Panel(
            "share refused, and of thumbs down",
            (
                line("refused", [_part(one.refused, one.requests) for one in parts]),
                line("down", [_part(one.down, one.up + one.down) for one in parts], "bad"),
            ),
            low=0.0,
            height=100,
        ),
    ]
    told = ("The last hours", _words(course.slots))
    return {
        f"course-{size.name}": _drawn(panels("course", told, shown, Across("hours from now"), size))
        for size in (WIDE, NARROW)
    }


def _drawn(markup: str) -> str:
    """A drawing that stands by itself, as XML."""
    return str(markup).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)


def _part(count: int, of: int) -> float | None:
    return count / of if of else None


def _words(slots: Sequence[Slot]) -> str:
    most = max(slots, key=lambda slot: slot.figures.requests)
    whole_time = sum(slot.figures.requests for slot in slots)
    ago = (slots[-1].end - most.start) / HOUR
    return f"{whole_time:,} requests; the most in one part, {most.figures.requests:,}, {ago:.3g} hours ago"
