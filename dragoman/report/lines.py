"""Lines over a common axis, in one panel or in several below each other: the course of a training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dragoman.report.axes import FONT, WIDE, Size, frame, upright_ticks
from dragoman.report.numbers import brief, quality
from dragoman.report.scale import Scale, count_ticks, linear_ticks, stretch
from dragoman.report.svg import Drawing, Sheet
from dragoman.report.text import advance

__all__ = ["Across", "Panel", "Series", "panels"]

# Above the first panel, between two, and below the last, in pixels: the name of an axis and its figures stand there.
_ABOVE, _BETWEEN, _BELOW = 34.0, 48.0, 46.0


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its name in the legend, its points in order, its look (a class of the style sheet), and dots."""

    name: str
    points: Sequence[tuple[float, float]]
    kind: str = ""
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """What shares one upright axis: its name, its lines, how tall it is in pixels.

    `low` and `high` fix an end of the axis; a line that leaves it runs along its edge. `ringed` is a point to mark.
    On a logarithmic axis, points at zero or below are left out.
    """

    name: str
    series: tuple[Series, ...]
    height: float = 200.0
    low: float | None = None
    high: float | None = None
    ringed: tuple[float, float] | None = None
    log: bool = False
    write: Callable[[float], str] = quality


@dataclass(frozen=True, slots=True)
class Across:
    """The common axis: its name, whether its scale is logarithmic, and a place on it to mark, with its words."""

    name: str
    log: bool = False
    marked: tuple[float, str] | None = None


def panels(name: str, told: tuple[str, str], shown: Sequence[Panel], across: Across, size: Size = WIDE) -> Markup:
    """The panels from top to bottom over one axis. `told` is the title and the words. At least one point is needed.

    On a logarithmic axis, points at zero or below are left out.
    """
    drawing = Drawing()
    uprights, bottom = _uprights(shown, across)
    widest = max(advance(words, FONT) for upright in uprights for _, words in upright_ticks(upright))
    left, right = max(46.0, widest + 12), size.width - 12
    along = _along(shown, across, left, right)
    for panel, upright in zip(shown, uprights, strict=True):
        frame(drawing, upright, left, right, panel.name, upright.end - 21)
        drawing.line((left, upright.start, right, upright.start), "rule")
        if across.marked is not None:
            x = along.place(across.marked[0])
            drawing.line((x, upright.start, x, upright.end), "target")
        _legend(drawing, panel, right, upright.end - 21)
        for series in panel.series:
            _series(drawing, series, along, upright, (panel, across))
        _ring(drawing, panel, along, upright, (left, right))
    if across.marked is not None:
        _mark(drawing, across.marked, along, uprights[0].end)
    for tick in _ticks(along, size):
        x = along.place(tick)
        drawing.line((x, bottom, x, bottom + 5), "rule")
        half = advance(brief(tick), FONT) / 2
        drawing.text(min(x, size.width - half), bottom + 20, brief(tick), "tick", "middle")
    words = f"{across.name}, log scale" if across.log else across.name
    drawing.text((left + right) / 2, bottom + 40, words, "axis", "middle")
    return drawing.markup(Sheet(f"{name}-{size.name}", size.width, bottom + _BELOW, *told, f"lines {size.name}"))


def _kept(series: Series, panel: Panel, across: Across) -> list[tuple[float, float]]:
    """The points that have a place on both axes."""
    return [(x, y) for x, y in series.points if (x > 0 or not across.log) and (y > 0 or not panel.log)]


def _uprights(shown: Sequence[Panel], across: Across) -> tuple[list[Scale], float]:
    """The upright scale of each panel, one below the other, and where the last one ends."""
    found, top = [], _ABOVE
    for panel in shown:
        values = [y for series in panel.series for _, y in _kept(series, panel, across)]
        bottom = top + panel.height
        if panel.log:
            low, high = min(values, default=1.0), max(values, default=1.0)
            found.append(Scale(low / 1.06, high * 1.06, bottom, top, log=True))
            top = bottom + _BETWEEN
            continue
        values = values + [end for end in (panel.low, panel.high) if end is not None] or [0.0]
        width = max(values) - min(values)
        low, high = stretch(values, 0.06, 1e-9 if width else abs(values[0]) * 0.1 or 0.1, None)
        low, high = low if panel.low is None else panel.low, high if panel.high is None else panel.high
        found.append(Scale(low, high if high > low else low + 1.0, bottom, top))
        top = bottom + _BETWEEN
    return found, top - _BETWEEN


def _along(shown: Sequence[Panel], across: Across, left: float, right: float) -> Scale:
    """The common scale: from the first point to the last one."""
    places = [x for panel in shown for series in panel.series for x, _ in series.points if x > 0 or not across.log]
    places += [across.marked[0]] if across.marked is not None and (across.marked[0] > 0 or not across.log) else []
    low, high = min(places, default=1.0), max(places, default=1.0)
    if high <= low:
        low, high = (low / 2, low * 2) if across.log else (low - 1, low + 1)
    return Scale(low, high, left, right, log=across.log)


def _ticks(along: Scale, size: Size) -> list[float]:
    most = 8 if size.width > 500 else 4
    return (count_ticks if along.log else linear_ticks)(along.low, along.high, most)


def _legend(drawing: Drawing, panel: Panel, right: float, base: float) -> None:
    """The names of the lines, from the right, where a panel has more than one that is named."""
    named = [series for series in panel.series if series.name]
    if len(named) < 2:
        return
    x = right
    for series in reversed(named):
        drawing.text(x, base, series.name, "tick", "end")
        x -= advance(series.name, FONT) + 6
        drawing.line((x - 22, base - 4, x, base - 4), f"curve {series.kind}".strip())
        x -= 36


def _series(drawing: Drawing, series: Series, along: Scale, upright: Scale, told: tuple[Panel, Across]) -> None:
    panel, across = told
    points = _kept(series, panel, across)
    places = [(along.place(x), upright.place(y)) for x, y in points]
    if len(places) > 1:
        drawing.path(places, f"curve {series.kind}".strip())
    if not series.dots and len(places) != 1:
        return
    for (x, y), place in zip(points, places, strict=True):
        inner = Drawing()
        inner.dot(*place, 3.5 if len(points) > 20 else 4.5, "dot")
        drawing.group(f"{across.name} {brief(x)}: {panel.write(y)}", inner)


def _ring(drawing: Drawing, panel: Panel, along: Scale, upright: Scale, edges: tuple[float, float]) -> None:
    """The ringed point with its figure above it, or below where it stands too high."""
    if panel.ringed is None or (along.log and panel.ringed[0] <= 0) or (upright.log and panel.ringed[1] <= 0):
        return
    x, y = along.place(panel.ringed[0]), upright.place(panel.ringed[1])
    drawing.dot(x, y, 9, "ring")
    words = panel.write(panel.ringed[1])
    half = advance(words, FONT) / 2
    base = y - 16 if y - 28 > upright.end else y + 26
    drawing.text(min(max(x, edges[0] + half), edges[1] - half), base, words, "name chosen", "middle")


def _mark(drawing: Drawing, marked: tuple[float, str], along: Scale, top: float) -> None:
    """The words of the marked place beside its line, on the side that has more room."""
    x, words = along.place(marked[0]), marked[1]
    before = x > (along.start + along.end) / 2
    drawing.text(x - 6 if before else x + 6, top + 13, words, "target-name", "end" if before else "start")
