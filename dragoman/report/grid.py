"""A table to show: named columns, one cell a figure, and no column that would stay empty."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dragoman.report.numbers import MISSING

__all__ = ["OUTCOMES", "Cell", "Grid", "grid", "outcome"]

# The sign tells an outcome without its colour.
OUTCOMES = {"met": ("✓", "met"), "unproven": ("≈", "unproven"), "missed": ("✗", "missed")}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, a quieter note below, a drawing, a tone for the colour, its kind (number, count, code)."""

    text: str = ""
    note: str = ""
    drawing: Markup | None = None
    tone: str = ""
    kind: str = ""

    @property
    def empty(self) -> bool:
        """Whether the cell tells nothing."""
        return self.text in ("", MISSING) and not self.note and self.drawing is None


@dataclass(frozen=True, slots=True)
class Grid:
    """The table: what it shows, its columns, its rows; `marked` is the number of the row to stand out, or -1."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    marked: int = -1


def grid(caption: str, headings: Sequence[str], rows: Sequence[Sequence[Cell]], marked: int = -1) -> Grid | None:
    """The table without its empty columns; None where there are no rows."""
    if not rows:
        return None
    kept = [place for place in range(len(headings)) if place == 0 or not all(row[place].empty for row in rows)]
    shown = tuple(tuple(row[place] for place in kept) for row in rows)
    return Grid(caption, tuple(headings[place] for place in kept), shown, marked)


def outcome(name: str) -> Cell:
    """The cell of an outcome in sign and words; an unknown one is shown as it is."""
    sign, said = OUTCOMES.get(name, ("", name))
    return Cell(f"{sign} {said}".strip(), tone=name if name in OUTCOMES else "")
