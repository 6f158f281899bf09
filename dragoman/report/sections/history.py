"""The evaluations: every figure that was measured while the model learnt, one row a measurement."""

from collections.abc import Callable

from dragoman.report.grid import Cell, grid, spoken
from dragoman.report.numbers import amount, brief, compact, duration, quality, whole
from dragoman.report.record import Table, number, rows, words
from dragoman.report.sections.loss import best, course

__all__ = ["view"]

# As many rows stand open; more are folded.
_OPEN = 12
_COLUMNS: dict[str, tuple[str, Callable[[float | None], str]]] = {
    "step": ("step", whole),
    "epoch": ("epoch", lambda value: quality(value, 2)),
    "tokens": ("tokens", compact),
    "loss": ("training loss", quality),
    "validation": ("held-out loss", quality),
    "bits_per_byte": ("bits per byte", quality),
    "rate": ("learning rate", brief),
    "norm": ("gradient norm", brief),
    "tokens_per_second": ("tokens/s", whole),
    "seconds": ("after", duration),
}


def view(record: Table) -> dict[str, object] | None:
    """The table, the best row marked; None where nothing was measured."""
    found = [row for row in rows(record.get("history")) if number(row.get("step")) is not None]
    found.sort(key=lambda row: number(row.get("step")) or 0.0)
    others = dict.fromkeys(
        key for row in found for key, value in row.items() if key not in _COLUMNS and number(value) is not None
    )
    names = [*(name for name, _ in _COLUMNS.values()), *(spoken(words(key)) for key in others)]
    lines = [
        [*_known(row), *(Cell(amount(key, number(row.get(key))), kind="number") for key in others)] for row in found
    ]
    lowest = best(course(found, "bits_per_byte") or course(found, "validation"))
    marked = next((place for place, row in enumerate(found) if lowest and number(row.get("step")) == lowest[0]), -1)
    table = grid("Evaluations", names, lines, marked)
    if table is None:
        return None
    return {
        "grid": table,
        "count": len(lines),
        "folded": len(lines) > _OPEN,
        "marked": marked >= 0,
        "trained": "training loss" in table.headings,
    }


def _known(row: Table) -> list[Cell]:
    return [Cell(write(number(row.get(key))), kind="number") for key, (_, write) in _COLUMNS.items()]
