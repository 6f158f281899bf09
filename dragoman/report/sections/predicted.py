"""Plan against measured: what the plan of a training said of memory, time and loss, and what came of it."""

from collections.abc import Callable

from dragoman.report.bars import Pair, pair
from dragoman.report.grid import Cell, grid
from dragoman.report.numbers import amount, binary, compact, duration, ratio
from dragoman.report.record import Table, number, rows, words

__all__ = ["view"]

_WRITE: dict[str, Callable[[float | None], str]] = {
    "bytes": binary,
    "s": duration,
    "seconds": duration,
    "flops": lambda value: f"{compact(value)} FLOPs",
    "tokens": compact,
}


def view(record: Table) -> dict[str, object] | None:
    """One row a prediction that was measured too; None where there is none."""
    lines = []
    for place, row in enumerate(rows(record.get("plan"))):
        what, unit = words(row.get("what")), words(row.get("unit"))
        planned, found = number(row.get("predicted")), number(row.get("measured"))
        if not what or planned is None or found is None:
            continue
        said, expected = _written(found, what, unit), _written(planned, what, unit)
        told = (f"{what}: measured against planned", f"{said} measured, {expected} planned")
        drawn = pair(f"predicted-{place}", told, Pair(planned, found)) if planned >= 0 and found >= 0 else None
        off = Cell(ratio(found / planned) if planned > 0 and found >= 0 else "", kind="number")
        lines.append([Cell(what), Cell(drawing=drawn), Cell(expected, kind="number"), Cell(said, kind="number"), off])
    found_grid = grid("Planned and measured", ("what", "", "planned", "measured", "of the plan"), lines)
    return None if found_grid is None else {"grid": found_grid}


def _written(value: float, what: str, unit: str) -> str:
    """The value with its unit; one without a unit that is known says the unit itself."""
    write = _WRITE.get(unit.lower())
    if write is not None:
        return write(value)
    return amount(what, value) + (f" {unit}" if unit and unit != what else "")
