"""The criteria: what was asked, what was measured, and whether the whole interval passes."""

from dragoman.report.bars import Bound, interval, reach
from dragoman.report.grid import Cell, grid, outcome
from dragoman.report.numbers import comparison, spread, whole
from dragoman.report.record import Table, figure, rows, threshold, words

__all__ = ["view"]


def view(record: Table) -> dict[str, object] | None:
    """One row a criterion; None where the record has none."""
    lines = []
    for place, criterion in enumerate(rows(record.get("criteria"))):
        metric, asked = words(criterion.get("metric")), comparison(words(criterion.get("asked")))
        if not metric:
            continue
        found, found_bound = figure(criterion.get("estimate")), threshold(criterion.get("asked"))
        bound = Bound(*found_bound) if found_bound else None
        said = outcome(words(criterion.get("outcome")))
        measured = spread(metric, found, bound.value if bound else None)
        drawing = None
        if found is not None:
            told = (f"{metric}: measured against asked", f"{measured}, asked {asked}: {said.text}")
            drawing = interval(f"criterion-{place}", told, found, reach(found, bound), bound, said.tone)
        size = f"n = {whole(found.n)}" if found is not None and found.n is not None and found.n > 1 else ""
        lines.append(
            [
                Cell(metric, note=words(criterion.get("kind"))),
                Cell(asked, kind="number"),
                Cell(measured, note=size, kind="number"),
                Cell(drawing=drawing),
                said,
            ]
        )
    found_grid = grid(
        "What was asked and what was measured", ("metric", "asked", "measured", "interval", "outcome"), lines
    )
    return None if found_grid is None else {"grid": found_grid}
