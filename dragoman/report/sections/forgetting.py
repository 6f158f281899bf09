"""Forgetting: what the model could do before the adaptation, and whether it still can."""

from markupsafe import Markup

from dragoman.report.bars import interval
from dragoman.report.grid import Cell, grid
from dragoman.report.numbers import spread, whole
from dragoman.report.record import Figure, Table, figure, table, words
from dragoman.report.scale import stretch

__all__ = ["view"]


def view(record: Table) -> dict[str, object] | None:
    """Before, after and the drop; None where neither was measured."""
    card = table(record.get("forgetting"))
    before, after, drop = (figure(card.get(name)) for name in ("before", "after", "drop"))
    sides = [("before", before), ("after", after)]
    found = [measured for _, measured in sides if measured is not None]
    if not found and drop is None:
        return None
    lines = []
    for name, measured in sides:
        if measured is not None:
            lines.append([Cell(name), Cell(drawing=_bar(name, measured, found)), *_figures(measured, sign=False)])
    if drop is not None:
        lines.append([Cell("drop"), Cell(), *_figures(drop, sign=True)])
    return {
        "probe": words(card.get("probe")),
        "said": _said(drop),
        "grid": grid("Before and after", ("when", "interval", "measured", "rows"), lines),
    }


def _bar(name: str, measured: Figure, both: list[Figure]) -> Markup:
    values = [end for one in both for end in one.ends]
    limits = (0.0, 1.0) if min(values) >= 0 and max(values) <= 1 else None
    told = (f"{name} the adaptation", spread("", measured))
    return interval(f"forgetting-{name}", told, measured, stretch(values, 0.4, 0.02, limits))


def _figures(measured: Figure, *, sign: bool) -> list[Cell]:
    size = "" if measured.n is None else whole(measured.n)
    return [Cell(spread("", measured, sign=sign), kind="number"), Cell(size, kind="count")]


def _said(drop: Figure | None) -> str:
    """What the drop proves; a drop above zero is a loss."""
    if drop is None:
        return ""
    low, high = drop.ends
    if low > 0:
        return "Some of what the model could do before is lost."
    if high < 0:
        return "The model does better than before on what it could already do."
    return "No loss is proven: the interval of the drop holds zero."
