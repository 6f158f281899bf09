"""What would help: more rows, cleaner labels, or labels that are easier to tell apart."""

from collections.abc import Mapping, Sequence

from dragoman.report.axes import NARROW, WIDE
from dragoman.report.curves import Step, learning
from dragoman.report.grid import Cell, grid
from dragoman.report.numbers import whole
from dragoman.report.record import Figure, Table, count, hollow, number, rows, table, words
from dragoman.report.sections.ladder import target
from dragoman.report.text import cut

__all__ = ["view"]

_LONGEST = 400


def view(record: Table) -> dict[str, object] | None:
    """The advice, the learning curve, the suspected noise and the confused pairs; None where there are none."""
    found = table(record.get("help"))
    if hollow(found):
        return None
    line, noise = target(record), table(found.get("noise"))
    metric = (line.metric if line else "") or "score"
    measured, projected = _steps(found.get("curve")), _steps(found.get("projected"))
    advice = found.get("advice")
    return {
        "met": record.get("verdict") in ("met", "no_adaptation_needed"),
        "advice": [words(item) for item in advice if words(item)] if isinstance(advice, list | tuple) else [],
        "charts": [learning(measured, projected, metric, line, size) for size in (WIDE, NARROW)]
        if measured or projected
        else [],
        "projected": bool(projected),
        "noise": count(noise.get("count")),
        "suspects": _suspects(noise.get("samples")),
        "pairs": _pairs(found),
    }


def _steps(value: object) -> list[Step]:
    steps = []
    for row in rows(value):
        size, score = count(row.get("rows")), number(row.get("score"))
        if size is not None and score is not None:
            steps.append(Step(size, Figure(score, number(row.get("low")), number(row.get("high")))))
    return sorted(steps, key=lambda step: step.rows)


def _told(sample: object) -> tuple[str, str]:
    """The text of a sample and what else is known of it."""
    if not isinstance(sample, Mapping):
        return words(sample), ""
    others = {key: value for key, value in sample.items() if key != "text"}
    return words(sample.get("text")), words(others)


def _short(text: str) -> str:
    shown, left = cut(text, _LONGEST)
    return f"{shown}… ({whole(left)} more characters)" if left else shown


def _suspects(samples: object) -> list[dict[str, str]]:
    if not isinstance(samples, Sequence) or isinstance(samples, str):
        return []
    return [{"text": _short(text), "note": note} for text, note in map(_told, samples) if text or note]


def _pairs(found: Table) -> object:
    lines = []
    for pair in rows(found.get("confused")):
        text, note = _told(pair.get("sample"))
        lines.append(
            [
                Cell(words(pair.get("expected"))),
                Cell(words(pair.get("answer"))),
                Cell(whole(number(pair.get("count"))), kind="count"),
                Cell(_short(text), note=note),
            ]
        )
    return grid("Labels that are taken for one another", ("expected", "answered", "times", "for example"), lines)
