"""The ladder chart: the quality of each rung against its cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from dragoman.report.axes import FONT, Box, Line, Size, frame, target_line, upright_scale
from dragoman.report.numbers import amount, duration, round_duration, spread
from dragoman.report.record import Figure
from dragoman.report.scale import Scale, time_ticks
from dragoman.report.svg import Drawing, Sheet
from dragoman.report.text import advance, fitted

__all__ = ["Point", "ladder"]


@dataclass(frozen=True, slots=True)
class Point:
    """One rung: its name, its cost in seconds, its quality, its outcome (met, unproven, missed or unknown)."""

    name: str
    seconds: float
    measured: Figure
    outcome: str = ""
    chosen: bool = False


# Below this a time is taken for nothing, in seconds.
_SHORTEST = 1e-6


def _apart(box: Box, taken: Sequence[Box]) -> bool:
    return all(box[2] < other[0] or box[0] > other[2] or box[3] < other[1] or box[1] > other[3] for other in taken)


def _trail(places: Sequence[tuple[float, float, float, float]]) -> list[Box]:
    """The line from rung to rung as small boxes, which a name had better not cover."""
    boxes = []
    for (x1, y1, *_), (x2, y2, *_) in pairwise(places):
        for part in range(25):
            x, y = x1 + (x2 - x1) * part / 24, y1 + (y2 - y1) * part / 24
            boxes.append((x - 2, y - 2, x + 2, y + 2))
    return boxes


def _spot(at: tuple[float, float, float], width: float, area: Box, taken: Sequence[Box], trail: Sequence[Box]) -> Box:
    """A free place for a name near a whisker (x, top, bottom), off the trail where that can be."""
    x, top, bottom = at
    centre, left, right, middle = x - width / 2, x - 12 - width, x + 12, (top + bottom) / 2
    boxes = []
    for start, upper in (
        *((centre, top - 22), (centre, bottom + 8), (right, middle - 8), (left, middle - 8), (right, top - 16)),
        *((left, top - 16), (right, bottom), (left, bottom), (centre, top - 38), (centre, bottom + 24)),
    ):
        kept = min(max(start, area[0]), area[2] - width)
        boxes.append((kept, upper, kept + width, upper + 15))
    inside = [box for box in boxes if box[1] >= area[1] and box[3] <= area[3]]
    free = [box for box in inside if _apart(box, taken)]
    best = [box for box in free if _apart(box, trail)]
    return (best or free or boxes)[0]


def _mark(drawing: Drawing, x: float, y: float, point: Point) -> None:
    """The sign of an outcome, told by its form and not by its colour alone: full, open, or a cross."""
    if point.chosen:
        drawing.dot(x, y, 11, "ring")
    if point.outcome == "missed":
        drawing.line((x - 5, y - 5, x + 5, y + 5), "cross")
        drawing.line((x - 5, y + 5, x + 5, y - 5), "cross")
    else:
        drawing.dot(x, y, 5.5, {"met": "dot met", "unproven": "dot unproven"}.get(point.outcome, "dot"))


def _told(points: Sequence[Point], metric: str, line: Line | None) -> str:
    """The chart in words, for those who do not see it."""
    told = []
    for point in points:
        outcome = f", {point.outcome}" if point.outcome else ""
        chosen = ", chosen" if point.chosen else ""
        told.append(f"{point.name}: {spread(metric, point.measured)} in {duration(point.seconds)}{outcome}{chosen}")
    target = f". The target is {amount(line.metric, line.bound)}" if line else ""
    return "; ".join(told) + target


def _costs(drawing: Drawing, points: Sequence[Point], area: Box) -> Scale:
    """The axis of the cost, with its rules and words."""
    left, _, right, bottom = area
    times = [point.seconds for point in points if point.seconds > _SHORTEST] or [1.0]
    least, most = min(times), max(times)
    # A rung that cost nothing measurable stands at the left edge: a log axis has no zero.
    across = Scale(min(least / 2.2, most / 8), max(most * 2.2, least * 8), left, right, log=True)
    for tick in time_ticks(across.low, across.high):
        x = across.place(tick)
        drawing.line((x, bottom, x, bottom + 5), "rule")
        drawing.text(x, bottom + 20, round_duration(tick), "tick", "middle")
    drawing.line((left, bottom, right, bottom), "rule")
    drawing.text((left + right) / 2, bottom + 40, "cost: time to train and tune, log scale", "axis", "middle")
    return across


def _rung(
    drawing: Drawing,
    point: Point,
    at: tuple[float, float, float, float],
    area: Box,
    taken: list[Box],
    trail: Sequence[Box],
) -> None:
    """The whisker, the sign and the name of one rung at (x, y, upper end, lower end)."""
    x, y, high, low = at
    if point.measured.wide:
        drawing.line((x, low, x, high), "whisker")
        drawing.line((x - 5, low, x + 5, low), "whisker")
        drawing.line((x - 5, high, x + 5, high), "whisker")
    _mark(drawing, x, y, point)
    name = fitted(point.name, (area[2] - area[0]) / 3, FONT) + (" · chosen" if point.chosen else "")
    width = advance(name, FONT) * (1.08 if point.chosen else 1)
    reach = 13.0 if point.chosen else 7.0
    box = _spot((x, min(high, y - reach), max(low, y + reach)), width, area, taken, trail)
    taken.append(box)
    drawing.text(box[0], box[3] - 3, name, "name chosen" if point.chosen else "name")


def ladder(points: Sequence[Point], metric: str, line: Line | None, size: Size) -> Markup:
    """Quality against cost in seconds on a log axis, in the order of the ladder. At least one point is needed."""
    drawing = Drawing()
    left, top, right, bottom = 46.0, 34.0, size.width - 12, size.height - 46
    values = [end for point in points for end in point.measured.ends] + ([line.bound] if line else [])
    upright = upright_scale(values, top, bottom)
    frame(drawing, upright, left, right, metric)
    across = _costs(drawing, points, (left, top, right, bottom))
    taken: list[Box] = []
    if line is not None:
        y = upright.place(line.bound)
        taken += [target_line(drawing, upright, line, left, right), (left, y - 1, right, y + 1)]
    places = []
    for point in points:
        low, high = point.measured.ends
        x = across.place(max(point.seconds, across.low))
        places.append((x, upright.place(point.measured.value), upright.place(high), upright.place(low)))
        taken.append((x - 8, places[-1][2] - 3, x + 8, places[-1][3] + 3))
    drawing.path([place[:2] for place in places], "trail")
    trail = _trail(places)
    for point, place in zip(points, places, strict=True):
        _rung(drawing, point, place, (left + 2, 18, right, bottom - 2), taken, trail)
    words = (f"{metric} of each rung against its cost", _told(points, metric, line))
    return drawing.markup(Sheet(f"ladder-{size.name}", size.width, size.height, *words, size.name))
