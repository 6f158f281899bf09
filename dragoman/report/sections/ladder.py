"""The ladder: every rung that was tried, from cheap to dear, and what each step upwards was worth."""

import math
from collections.abc import Sequence

from dragoman.report.axes import NARROW, WIDE, Line
from dragoman.report.charts import Point, ladder
from dragoman.report.grid import Cell, grid, outcome
from dragoman.report.numbers import amount, duration, memory, milliseconds, probability, quality, spread, whole
from dragoman.report.record import Table, figure, number, rows, table, threshold, words

__all__ = ["target", "view"]

_HEADINGS = (
    "rung",
    "quality",
    "against the rung below",
    "McNemar p",
    "detectable",
    "cost",
    "a request",
    "size",
    "peak memory",
    "trials",
)


def target(record: Table) -> Line | None:
    """The target line of the charts; None where the record has no bound."""
    asked = table(record.get("target"))
    bound = number(asked.get("bound"))
    if bound is None:
        found = threshold(asked.get("bound"))
        return None if found is None else Line(words(asked.get("metric")), found[1], found[0].startswith(">"))
    return Line(words(asked.get("metric")), bound, not words(asked.get("op")).startswith("<"))


def view(record: Table) -> dict[str, object] | None:
    """The chart, the table and the trials; None where no rung is named."""
    steps = [step for step in rows(record.get("ladder")) if words(step.get("rung"))]
    if not steps:
        return None
    line = target(record)
    metric = words(steps[0].get("metric")) or (line.metric if line else "") or "quality"
    if line is not None and line.metric not in ("", metric):
        line = None  # a bound on another metric than the one that is drawn
    points = _points(steps)
    chosen = [place for place, step in enumerate(steps) if step.get("chosen") is True]
    return {
        "metric": metric,
        "charts": [ladder(points, metric, line, size) for size in (WIDE, NARROW)] if points else [],
        "undrawn": [words(step.get("rung")) for step in steps if _point(step) is None] if points else [],
        "grid": grid(
            f"{metric} and cost of each rung",
            _HEADINGS,
            [_row(step, line) for step in steps],
            chosen[0] if chosen else -1,
        ),
        "trials": [found for step in steps if (found := _trials(step, line))],
        "notes": [
            (words(step.get("rung")), note) for step in steps for note in (words(step.get("note")), _wins(step)) if note
        ],
    }


def _wins(step: Table) -> str:
    """How often judges put the answers of a rung above those of the one that it went on from."""
    told = table(step.get("wins"))
    found = [(name, figure(one)) for name, one in table(told.get("judges")).items()]
    shares = [f"{spread('', one)} of them by {name}" for name, one in found if one is not None]
    return f"rows won over {words(told.get('against'))}: {', '.join(shares)}" if shares else ""


def _point(step: Table) -> Point | None:
    measured, seconds = figure(step.get("estimate")), number(step.get("seconds"))
    if measured is None or seconds is None:
        return None
    return Point(
        words(step.get("rung")), max(seconds, 0.0), measured, words(step.get("outcome")), step.get("chosen") is True
    )


def _points(steps: Sequence[Table]) -> list[Point]:
    return [point for step in steps if (point := _point(step)) is not None]


def _row(step: Table, line: Line | None) -> list[Cell]:
    metric, measured = words(step.get("metric")), figure(step.get("estimate"))
    said = outcome(words(step.get("outcome")))
    against = table(step.get("comparison"))
    below = words(against.get("against"))
    tried = len(rows(step.get("trials")))
    if against.get("better") is True or against.get("worse") is True:
        better = "better" if against.get("better") is True else "worse"
    else:
        better = "not proven better" if "better" in against else ""
    note = ", ".join(part for part in (better, f"than {below}" if better and below else below) if part).replace(
        ", than", " than"
    )
    peak = table(step.get("measured"))
    slowest = number(step.get("p95_ms"))
    return [
        Cell(words(step.get("rung")), note="chosen" if step.get("chosen") is True else ""),
        Cell(spread(metric, measured, line.bound if line else None), note=said.text, tone=said.tone, kind="number"),
        Cell(spread("", figure(against.get("difference")), sign=True), note=note, kind="number"),
        Cell(probability(number(against.get("mcnemar_p"))), kind="number"),
        Cell(_detectable(number(against.get("minimum_detectable"))), kind="number"),
        Cell(duration(number(step.get("seconds"))), kind="number"),
        Cell(
            milliseconds(number(step.get("p50_ms"))),
            note="" if slowest is None else f"p95 {milliseconds(slowest)}",
            kind="number",
        ),
        Cell(memory(number(step.get("size_mb"))), kind="number"),
        Cell(memory(number(peak.get("memory_mb"))), kind="number"),
        Cell(whole(tried) if tried else "", kind="count"),
    ]


def _detectable(least: float | None) -> str:
    return "" if least is None else f"≥ {quality(least)}"


def _trials(step: Table, line: Line | None) -> dict[str, object] | None:
    """The settings tried on one rung, best first, and the ones it was built with; None where there are none."""
    found = rows(step.get("trials"))
    settings = words(step.get("settings"))
    if not found and not settings:
        return None
    metric = words(step.get("metric"))
    sign = 1 if line is not None and not line.above else -1
    scored = [(number(trial.get("score")), trial) for trial in found]
    ordered = [trial for _, trial in sorted(scored, key=lambda one: math.inf if one[0] is None else sign * one[0])]
    lines = [
        [
            Cell(words(trial.get("settings")), kind="code"),
            Cell(amount(metric, number(trial.get("score"))), kind="number"),
            Cell(duration(number(trial.get("seconds"))), kind="number"),
        ]
        for trial in ordered
    ]
    rung = words(step.get("rung"))
    return {
        "rung": rung,
        "settings": settings,
        "run": words(step.get("run")),
        "count": len(found),
        "grid": grid(f"Trials of {rung}", ("settings", "score", "time"), lines),
    }
