"""Plan against measured: the memory and the time that were predicted, and what they turned out to be."""

from collections.abc import Callable

from dragoman.report.bars import Pair, pair
from dragoman.report.grid import Cell, grid
from dragoman.report.numbers import duration, memory, ratio
from dragoman.report.record import Table, number, rows, table, words

__all__ = ["view"]


def view(record: Table) -> dict[str, object] | None:
    """One row a rung that has both a plan and a measurement; None where no rung has."""
    lines = []
    for place, step in enumerate(rows(record.get("ladder"))):
        rung = words(step.get("rung"))
        planned, measured = table(step.get("predicted")), table(step.get("measured"))
        cells = [
            *_cells(
                f"{rung}: memory", f"plan-memory-{place}", planned.get("memory_mb"), measured.get("memory_mb"), memory
            ),
            *_cells(f"{rung}: time", f"plan-time-{place}", planned.get("seconds"), measured.get("seconds"), duration),
        ]
        if rung and not all(cell.empty for cell in cells):
            lines.append([Cell(rung), *cells])
    found = grid("Planned and measured", ("rung", "memory", "", "time", ""), lines)
    return None if found is None else {"grid": found}


def _cells(
    title: str, name: str, planned: object, measured: object, write: Callable[[float | None], str]
) -> list[Cell]:
    """The bars and the words of one resource; empty where either figure is missing."""
    plan, found = number(planned), number(measured)
    if plan is None or found is None:
        return [Cell(), Cell()]
    told = f"{write(found)} measured, {write(plan)} planned"
    times = f", {ratio(found / plan)}" if plan > 0 else ""
    return [
        Cell(drawing=pair(name, (title, told), Pair(plan, found))),
        Cell(write(found), note=f"planned {write(plan)}{times}", kind="number"),
    ]
