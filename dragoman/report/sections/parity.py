"""Parity: what was adapted, merged, saved and served gives the same answers."""

from dragoman.report.grid import Cell, grid
from dragoman.report.numbers import tiny
from dragoman.report.record import Table, number, rows, words

__all__ = ["view"]


def view(record: Table) -> dict[str, object] | None:
    """One row a hand-over; None where none was measured."""
    lines = []
    for row in rows(record.get("parity")):
        pair = words(row.get("pair"))
        if pair:
            lines.append(
                [
                    Cell(pair),
                    Cell(tiny(number(row.get("difference"))), kind="number"),
                    Cell(tiny(number(row.get("tolerance"))), kind="number"),
                    Cell(words(row.get("same_answers"))),
                    _held(row),
                ]
            )
    found = grid(
        "Largest difference at each hand-over",
        ("hand-over", "largest difference", "allowed", "same answers", "outcome"),
        lines,
    )
    return None if found is None else {"grid": found}


def _held(row: Table) -> Cell:
    difference, tolerance = number(row.get("difference")), number(row.get("tolerance"))
    if row.get("same_answers") is False or (
        difference is not None and tolerance is not None and difference > tolerance
    ):
        return Cell("✗ broken", tone="missed")
    if difference is None or tolerance is None:
        return Cell("≈ not measured", tone="unproven")
    return Cell("✓ equal", tone="met")
