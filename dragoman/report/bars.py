"""The small drawings that stand in a table cell: an interval on its scale, a share, planned against measured."""

from dataclasses import dataclass

from markupsafe import Markup

from dragoman.report.record import Figure
from dragoman.report.scale import Scale, stretch
from dragoman.report.svg import Drawing, Sheet

__all__ = ["Bound", "Pair", "interval", "pair", "reach", "share"]

_WIDTH, _HEIGHT = 200.0, 24.0


@dataclass(frozen=True, slots=True)
class Bound:
    """What is asked of a figure: the comparison (>=, >, <=, <) and the bound."""

    op: str
    value: float


@dataclass(frozen=True, slots=True)
class Pair:
    """What was planned and what was measured, in one unit."""

    planned: float
    measured: float


def reach(measured: Figure, bound: Bound | None) -> tuple[float, float]:
    """A range for one figure and its bound: it shows both, with a margin, and does not leave [0, 1] for a share."""
    values = [*measured.ends, measured.value] + ([bound.value] if bound else [])
    limits = (0.0, 1.0) if min(values) >= 0 and max(values) <= 1 else (0.0, float("inf")) if min(values) >= 0 else None
    return stretch(values, 0.4, 0.05 * max(abs(value) for value in values) or 1.0, limits)


def interval(
    name: str,
    told: tuple[str, str],
    measured: Figure,
    extent: tuple[float, float],
    bound: Bound | None = None,
    tone: str = "",
) -> Markup:
    """A figure with its interval between the two ends of `extent`; the side of the bound that passes is washed.

    `told` is the title and the description; `tone` is met, unproven or missed and chooses the colour.
    """
    drawing = Drawing()
    across = Scale(extent[0], extent[1], 4, _WIDTH - 4)
    middle = _HEIGHT / 2
    if bound is not None:
        x = across.place(bound.value)
        left, right = (x, _WIDTH) if bound.op.startswith(">") else (0.0, x)
        drawing.box((left, 2), (right - left, _HEIGHT - 4), "zone")
        drawing.line((x, 1, x, _HEIGHT - 1), "target")
    drawing.line((0, middle, _WIDTH, middle), "grid")
    low, high = (across.place(end) for end in measured.ends)
    if measured.wide:
        drawing.line((low, middle, high, middle), f"span {tone}")
        drawing.line((low, middle - 5, low, middle + 5), f"cap {tone}")
        drawing.line((high, middle - 5, high, middle + 5), f"cap {tone}")
    drawing.dot(across.place(measured.value), middle, 4.5, f"dot {tone}")
    return drawing.markup(Sheet(name, _WIDTH, _HEIGHT, told[0], told[1], "inline"))


def share(name: str, told: tuple[str, str], part: float, width: float = 120) -> Markup:
    """A bar that is `part` in [0, 1] of its width long."""
    drawing = Drawing()
    drawing.box((0, 1), (width, 10), "trough")
    drawing.box((0, 1), (width * min(max(part, 0.0), 1.0), 10), "bar")
    return drawing.markup(Sheet(name, width, 12, told[0], told[1], "inline"))


def pair(name: str, told: tuple[str, str], both: Pair) -> Markup:
    """Two bars on one scale: planned above, measured below, and a rule where the plan ends."""
    drawing = Drawing()
    most = max(both.planned, both.measured) or 1.0
    planned, measured = (max(value / most, 0.0) * (_WIDTH - 2) for value in (both.planned, both.measured))
    drawing.box((0, 3), (planned, 8), "trough")
    drawing.box((0, 14), (measured, 8), "bar over" if both.measured > both.planned else "bar")
    drawing.line((planned, 1, planned, 25), "limit")
    return drawing.markup(Sheet(name, _WIDTH, 26, told[0], told[1], "inline"))
