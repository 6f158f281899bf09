"""Before against after: the untouched and the tuned model on the same rows, metric by metric."""

from dragoman.report.bars import interval
from dragoman.report.grid import Cell, grid
from dragoman.report.numbers import probability, spread
from dragoman.report.record import Table, figure, number, rows, words
from dragoman.report.scale import stretch

__all__ = ["view"]

OUTCOMES = {
    "better": ("✓ better", "met"),
    "worse": ("✗ worse", "missed"),
    "changed": ("↔ changed", ""),
    "tie": ("≈ not proven", "unproven"),
}


def view(record: Table) -> dict[str, object] | None:
    """One row a metric, the leading one marked; None where nothing was compared."""
    found = [row for row in rows(record.get("paired")) if words(row.get("metric"))]
    ordered = sorted(found, key=lambda row: row.get("leading") is not True)
    lines = [_line(place, row) for place, row in enumerate(ordered)]
    shown = grid(
        "The untouched model against the tuned one",
        ("metric", "before", "after", "after - before", "interval", "p", "outcome"),
        lines,
        0 if ordered and ordered[0].get("leading") is True else -1,
    )
    return None if shown is None else {"grid": shown, "test": words(ordered[0].get("test"))}


def _line(place: int, row: Table) -> list[Cell]:
    metric, gap = words(row.get("metric")), figure(row.get("difference"))
    said, tone = OUTCOMES.get(words(row.get("outcome")), (words(row.get("outcome")), ""))
    drawing = None
    if gap is not None and gap.wide:
        told = (f"{metric}: after minus before", spread(metric, gap, sign=True))
        drawing = interval(f"paired-{place}", told, gap, stretch([*gap.ends, 0.0], 0.1, 0.02, None))
    return [
        Cell(metric),
        _narrow(spread(metric, figure(row.get("before")))),
        _narrow(spread(metric, figure(row.get("after")))),
        _narrow(spread(metric, gap, sign=True)),
        Cell(drawing=drawing),
        Cell(probability(number(row.get("p"))), kind="number"),
        Cell(said, tone=tone),
    ]


def _narrow(told: str) -> Cell:
    """A figure with its interval below: seven columns leave no room beside it."""
    value, mark, ends = told.partition(" [")
    return Cell(value, note=f"[{ends}" if mark else "", kind="number")
