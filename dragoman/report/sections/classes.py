"""The F1 of each label with its interval, the weakest first."""

from dragoman.report.bars import interval
from dragoman.report.grid import Cell, grid
from dragoman.report.numbers import spread, whole
from dragoman.report.record import Table, figure, number, rows, words

__all__ = ["view"]


def view(record: Table) -> dict[str, object] | None:
    """One row a label, all on the scale from 0 to 1; None where no label has a figure."""
    lines = []
    for row in rows(record.get("per_class")):
        label, found = words(row.get("label")), figure(row.get("f1"))
        if label and found is not None:
            lines.append((found.value, label, found, number(row.get("rows"))))
    cells = []
    for place, (_, label, found, size) in enumerate(sorted(lines, key=lambda line: (line[0], line[1]))):
        said = spread("f1", found)
        drawing = interval(f"class-{place}", (f"F1 of {label}", f"{said} on a scale from 0 to 1"), found, (0.0, 1.0))
        cells.append([Cell(label), Cell(drawing=drawing), Cell(said, kind="number"), Cell(whole(size), kind="count")])
    found_grid = grid("F1 of each label", ("label", "from 0 to 1", "F1", "rows"), cells)
    return None if found_grid is None else {"grid": found_grid}
