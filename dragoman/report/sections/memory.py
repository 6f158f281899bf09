"""Memory: what the bytes of a training are spent on, part by part, for every form that was planned."""

from collections.abc import Mapping

from dragoman.report.axes import NARROW, WIDE
from dragoman.report.grid import Cell, grid
from dragoman.report.numbers import binary
from dragoman.report.record import Table, number, rows, table, words
from dragoman.report.stacked import stacked

__all__ = ["view"]


def view(record: Table) -> dict[str, object] | None:
    """The stacked bars and their figures; None where no part is known."""
    forms = [(name, parts) for name, parts in _forms(record.get("memory")) if parts]
    if not forms:
        return None
    title = "Memory by part"
    names = list(dict.fromkeys(part for _, parts in forms for part in parts))
    lines = [
        [
            Cell(part),
            *(Cell(binary(parts[part]) if part in parts else "", kind="number") for _, parts in forms),
        ]
        for part in names
    ]
    lines.append([Cell("together"), *(Cell(binary(sum(parts.values())), kind="number") for _, parts in forms)])
    return {
        "charts": [stacked("memory", title, forms, size) for size in (WIDE, NARROW)],
        "grid": grid(title, ("part", *(name for name, _ in forms)), lines, len(lines) - 1),
    }


def _forms(value: object) -> list[tuple[str, dict[str, float]]]:
    """By form {full: {weights: bytes}} or {full: [{part, bytes}]}; bare parts are the one form there is."""
    forms = table(value)
    nested = [(words(name), _parts(parts)) for name, parts in forms.items() if not isinstance(parts, int | float)]
    return nested if any(parts for _, parts in nested) else [("training", _parts(value))]


def _parts(value: object) -> dict[str, float]:
    listed = [(row.get("part"), row.get("bytes")) for row in rows(value)]
    found = value.items() if isinstance(value, Mapping) else listed
    sizes = ((words(part), number(size)) for part, size in found)
    return {part: size for part, size in sizes if part and size is not None and size > 0}
