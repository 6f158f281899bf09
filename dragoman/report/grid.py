"""A table to show: named columns, one cell a figure, and no column that would stay empty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dragoman.report.numbers import MISSING, binary, brief, whole
from dragoman.report.record import Table, hollow, number, table, words

__all__ = ["OUTCOMES", "Cell", "Grid", "facts", "grid", "listing", "outcome", "spoken", "told"]

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


def listing(caption: str, headings: tuple[str, str], values: Table) -> Grid | None:
    """A mapping as lines of name and value, nested ones named above.below; None where it holds nothing."""
    return grid(caption, headings, [[Cell(name), Cell(value, kind="code")] for name, value in _flat(values, "")])


def facts(caption: str, values: Table) -> Grid | None:
    """A listing in which counts have their commas and bytes their unit; None where it holds nothing."""
    return listing(caption, ("fact", "value"), {spoken(words(key)): told(key, value) for key, value in values.items()})


def told(name: str, value: object) -> object:
    """A figure as people read it: bytes, where the name says so, with a unit, a whole one with commas, others short."""
    if isinstance(value, Mapping):
        return {spoken(words(key)): told(key, item) for key, item in value.items()}
    found = number(value)
    if found is None:
        return value
    if "bytes" in words(name):
        return binary(found)
    return whole(found) if isinstance(value, int) else brief(found)


def spoken(name: str) -> str:
    """The name of a key in words: bits per byte."""
    return name.replace("_", " ")


def _flat(values: Table, above: str) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{above}.{words(key)}" if above else words(key)
        nested = table(value)
        if nested:
            lines += _flat(nested, name)
        elif not hollow(value):
            lines.append((name, words(value)))
    return lines


def outcome(name: str) -> Cell:
    """The cell of an outcome in sign and words; an unknown one is shown as it is."""
    sign, said = OUTCOMES.get(name, ("", name))
    return Cell(f"{sign} {said}".strip(), tone=name if name in OUTCOMES else "")
