"""Stacked bars: what several totals are made of, on one scale, with a legend of their parts."""

from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup

from dragoman.report.axes import FONT, WIDE, Size
from dragoman.report.numbers import binary, whole
from dragoman.report.svg import Drawing, Sheet
from dragoman.report.text import advance, fitted

__all__ = ["TONES", "stacked"]

# As many colours as the style sheet has; a further part takes the first one again, and its own name all the same.
TONES = 8
_ROW, _BAR = 56.0, 24.0
_SQUARE = 12.0


def stacked(
    name: str,
    title: str,
    rows: Sequence[tuple[str, Mapping[str, float]]],
    size: Size = WIDE,
    write: Callable[[float], str] = binary,
) -> Markup:
    """One bar a row, in the order given: its name and its parts, which are drawn in their order. At least one row.

    `write` says a figure in words, bytes if nothing else is given. Parts of nothing or less are not drawn. A part has
    the same colour in every row; the legend names it, and so does the bar where there is room.
    """
    tones = {
        part: place % TONES for place, part in enumerate(dict.fromkeys(part for _, parts in rows for part in parts))
    }
    most = max((_total(parts) for _, parts in rows), default=0.0) or 1.0
    drawing = Drawing()
    top = _legend(drawing, tones, size.width) if tones else 0.0
    for place, (label, parts) in enumerate(rows):
        y, total = top + place * _ROW, write(_total(parts))
        drawing.text(0, y + 16, fitted(label, size.width - advance(total, FONT) - 12, FONT), "name")
        drawing.text(size.width, y + 16, total, "name", "end")
        _bar(drawing, (label, parts), tones, y + 22, size.width / most, write)
    told = "; ".join(f"{label}: {write(_total(parts))} ({_listed(parts, write)})" for label, parts in rows)
    height = top + len(rows) * _ROW
    return drawing.markup(Sheet(f"{name}-{size.name}", size.width, height, title, told, f"stacked {size.name}"))


def _total(parts: Mapping[str, float]) -> float:
    return sum(max(value, 0.0) for value in parts.values())


def _listed(parts: Mapping[str, float], write: Callable[[float], str]) -> str:
    return ", ".join(f"{part} {write(value)}" for part, value in parts.items() if value > 0)


def _legend(drawing: Drawing, tones: Mapping[str, int], width: float) -> float:
    """A square and a name for each part, in as many lines as they need; returns where the bars begin."""
    x, y = 0.0, 0.0
    for part, tone in tones.items():
        shown = fitted(part, width - _SQUARE - 8, FONT)
        room = _SQUARE + 7 + advance(shown, FONT)
        if x and x + room > width:
            x, y = 0.0, y + 22
        drawing.box((x, y + 4), (_SQUARE, _SQUARE), f"part-{tone}")
        drawing.text(x + _SQUARE + 7, y + 15, shown, "tick")
        x += room + 16
    return y + 30


def _bar(
    drawing: Drawing,
    row: tuple[str, Mapping[str, float]],
    tones: Mapping[str, int],
    y: float,
    scale: float,
    write: Callable[[float], str],
) -> None:
    """The parts of one row side by side, each with its figures when it is pointed at."""
    label, parts = row
    total, x = _total(parts) or 1.0, 0.0
    for part, value in parts.items():
        wide = max(value, 0.0) * scale
        if wide <= 0:
            continue
        inner = Drawing()
        # A gap keeps neighbours apart without their colours; what is too thin for one keeps all its width.
        inner.box((x, y), (wide - 1 if wide > 2 else wide, _BAR), f"part-{tones[part]}")
        if advance(part, FONT) + 10 <= wide:
            inner.text(x + 6, y + 16.5, part, "label")
        share = whole(100 * value / total)
        drawing.group(f"{label}, {part}: {write(value)}, {share} %" if label else f"{part}: {write(value)}", inner)
        x += wide
