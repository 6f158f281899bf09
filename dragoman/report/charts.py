"""The charts with two axes: the ladder (quality against cost), the learning curve and the calibration curve."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dragoman.report.numbers import amount, duration, quality, spread, whole
from dragoman.report.record import Figure
from dragoman.report.scale import Scale, count_ticks, linear_ticks, stretch, time_ticks
from dragoman.report.svg import Drawing
from dragoman.report.text import advance, fitted

__all__ = ["NARROW", "WIDE", "Bin", "Line", "Point", "Size", "Step", "calibration", "ladder", "learning"]

_FONT = 13.0
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Size:
    """How large a chart is drawn, and the suffix of its name: the page shows one of the two by its own width."""

    name: str
    width: float
    height: float


WIDE = Size("wide", 880, 430)
NARROW = Size("narrow", 350, 380)


@dataclass(frozen=True, slots=True)
class Line:
    """The target: its bound, and whether the better side is above it."""

    metric: str
    bound: float
    above: bool = True


@dataclass(frozen=True, slots=True)
class Point:
    """One rung: its name, its cost in seconds, its quality, its outcome (met, unproven, missed or unknown)."""

    name: str
    seconds: float
    measured: Figure
    outcome: str = ""
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One point of a learning curve: the score after training on so many rows."""

    rows: int
    score: Figure


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers of about one confidence: its mean, the share that is right, how many answers."""

    confidence: float
    accuracy: float
    count: int


def _limits(values: Sequence[float]) -> tuple[float, float] | None:
    """The range that cannot be left: most figures of quality are shares."""
    return (0.0, 1.0) if min(values) >= 0 and max(values) <= 1 else None


def _upright(values: Sequence[float], top: float, bottom: float) -> Scale:
    low, high = stretch(values, 0.12, 0.1 if _limits(values) else 1e-9, _limits(values))
    return Scale(low, high, bottom, top)


def _frame(drawing: Drawing, upright: Scale, left: float, right: float, name: str) -> None:
    """The horizontal rules, their figures and the name of the upright axis."""
    ticks = linear_ticks(upright.low, upright.high)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    digits = 0 if step >= 1 else 1 if step >= 0.1 else 2 if step >= 0.01 else 3
    for tick in ticks:
        y = upright.place(tick)
        drawing.line((left, y, right, y), "grid")
        drawing.text(left - 8, y + 4, quality(tick, digits), "tick", "end")
    drawing.text(0, 13, name, "axis")


def _target(drawing: Drawing, upright: Scale, line: Line, left: float, right: float) -> Box:
    """The target line with its better side washed; returns the box of its words."""
    y = upright.place(line.bound)
    edge = upright.end if line.above else upright.start
    drawing.box((left, min(y, edge)), (right - left, abs(y - edge)), "zone")
    drawing.line((left, y, right, y), "target")
    words = f"target {amount(line.metric, line.bound)}"
    width = advance(words, _FONT)
    below = 17.0 if line.above else -7.0
    drawing.text(right - 4, y + below, words, "target-name", "end")
    return right - 4 - width, y + below - 12, right - 4, y + below + 4


def _apart(box: Box, taken: Sequence[Box]) -> bool:
    return all(box[2] < other[0] or box[0] > other[2] or box[3] < other[1] or box[1] > other[3] for other in taken)


def _spot(at: tuple[float, float, float], width: float, area: Box, taken: Sequence[Box]) -> tuple[Box, float, float]:
    """A free place for a name near a whisker (x, top, bottom): above, below, or beside it; the box and where to write."""
    x, top, bottom = at
    left, right = x - width / 2, x + 12
    middle = (top + bottom) / 2
    corners = [
        (left, top - 22), (left, bottom + 8), (right, middle - 8), (x - 12 - width, middle - 8), (right, top - 16),
        (x - 12 - width, top - 16), (right, bottom), (x - 12 - width, bottom), (left, top - 38), (left, bottom + 24),
    ]
    boxes = []
    for corner in corners:
        start = min(max(corner[0], area[0]), area[2] - width)
        boxes.append((start, corner[1], start + width, corner[1] + 15))
    free = [box for box in boxes if box[1] >= area[1] and box[3] <= area[3] and _apart(box, taken)]
    box = free[0] if free else boxes[0]
    return box, box[0], box[3] - 3


def _mark(drawing: Drawing, x: float, y: float, point: Point) -> None:
    """The sign of an outcome, told by its form and not by its colour alone: full, open, or a cross."""
    if point.chosen:
        drawing.dot(x, y, 11, "ring")
    if point.outcome == "missed":
        drawing.line((x - 5, y - 5, x + 5, y + 5), "cross")
        drawing.line((x - 5, y + 5, x + 5, y - 5), "cross")
    else:
        drawing.dot(x, y, 5.5, {"met": "dot met", "unproven": "dot unproven"}.get(point.outcome, "dot"))


def ladder(points: Sequence[Point], metric: str, line: Line | None, size: Size) -> Markup:
    """Quality against cost in seconds on a log axis, in the order of the ladder. At least one point is needed."""
    told = "; ".join(
        f"{point.name}: {spread(metric, point.measured)} in {duration(point.seconds)}"
        + (f", {point.outcome}" if point.outcome else "")
        + (", chosen" if point.chosen else "")
        for point in points
    )
    if line is not None:
        told += f". The target is {amount(line.metric, line.bound)}"
    drawing = Drawing(f"ladder-{size.name}", size.width, size.height, f"{metric} of each rung against its cost", told, size.name)
    left, right, top, bottom = 46.0, size.width - 12, 34.0, size.height - 46
    values = [end for point in points for end in point.measured.ends] + ([line.bound] if line else [])
    upright = _upright(values, top, bottom)
    times = [point.seconds for point in points if point.seconds > 0] or [1.0]
    least, most = min(times), max(times)
    # A rung that cost nothing measurable stands at the left edge: a log axis has no zero.
    across = Scale(min(least / 2.2, most / 8), max(most * 2.2, least * 8), left, right, log=True)
    _frame(drawing, upright, left, right, metric)
    for tick in time_ticks(across.low, across.high):
        x = across.place(tick)
        drawing.line((x, bottom, x, bottom + 5), "rule")
        drawing.text(x, bottom + 20, duration(tick).replace(".00", "").replace(".0", "").replace(" 00 s", ""), "tick", "middle")
    drawing.line((left, bottom, right, bottom), "rule")
    drawing.text((left + right) / 2, size.height - 6, "cost: time to train and tune, log scale", "axis", "middle")
    taken = [] if line is None else [_target(drawing, upright, line, left, right)]
    places = [(across.place(max(point.seconds, across.low)), upright.place(point.measured.value)) for point in points]
    drawing.path(places, "trail")
    for point, (x, _) in zip(points, places, strict=True):
        low, high = point.measured.ends
        taken.append((x - 8, upright.place(high) - 3, x + 8, upright.place(low) + 3))
    for point, (x, y) in zip(points, places, strict=True):
        low, high = (upright.place(end) for end in point.measured.ends)
        if point.measured.wide:
            drawing.line((x, low, x, high), "whisker")
            drawing.line((x - 5, low, x + 5, low), "whisker")
            drawing.line((x - 5, high, x + 5, high), "whisker")
        _mark(drawing, x, y, point)
        name = fitted(point.name, size.width / 3, _FONT) + (" · chosen" if point.chosen else "")
        width = advance(name, _FONT) * (1.08 if point.chosen else 1)
        reach = 13.0 if point.chosen else 7.0
        around = (x, min(high, y - reach), max(low, y + reach))
        box, start, base = _spot(around, width, (left + 2, 18, right, bottom - 2), taken)
        taken.append(box)
        drawing.text(start, base, name, "name chosen" if point.chosen else "name")
    return drawing.markup()


def _curve(drawing: Drawing, steps: Sequence[Step], across: Scale, upright: Scale, kind: str) -> None:
    band = [(across.place(step.rows), upright.place(step.score.ends[1])) for step in steps]
    band += [(across.place(step.rows), upright.place(step.score.ends[0])) for step in reversed(steps)]
    drawing.path(band, f"band {kind}", closed=True)
    drawing.path([(across.place(step.rows), upright.place(step.score.value)) for step in steps], f"curve {kind}")


def learning(measured: Sequence[Step], projected: Sequence[Step], metric: str, line: Line | None, size: Size) -> Markup:
    """The score against the number of training rows: measured, then projected. At least one step is needed."""
    every = [*measured, *projected]
    told = "; ".join(f"{whole(step.rows)} rows: {spread(metric, step.score)}" for step in measured)
    if projected:
        told += ". Projected: " + "; ".join(f"{whole(step.rows)} rows: {spread(metric, step.score)}" for step in projected)
    name = metric or "score"
    title = f"{name} against the number of training rows"
    drawing = Drawing(f"learning-{size.name}", size.width, size.height * 0.8, title, told, size.name)
    left, right, top, bottom = 46.0, size.width - 12, 34.0, drawing.height - 46
    values = [end for step in every for end in step.score.ends] + ([line.bound] if line else [])
    upright = _upright(values, top, bottom)
    counts = [max(step.rows, 1) for step in every]
    across = Scale(min(counts) / 1.25, max(counts) * 1.25, left, right, log=True)
    _frame(drawing, upright, left, right, name)
    drawing.line((left, bottom, right, bottom), "rule")
    for tick in count_ticks(across.low, across.high, 8 if size.width > 500 else 4):
        x = across.place(tick)
        drawing.line((x, bottom, x, bottom + 5), "rule")
        drawing.text(x, bottom + 20, whole(tick), "tick", "middle")
    drawing.text((left + right) / 2, drawing.height - 6, "training rows, log scale", "axis", "middle")
    if line is not None:
        _target(drawing, upright, line, left, right)
    if measured:
        _curve(drawing, measured, across, upright, "measured")
    if projected:
        _curve(drawing, [*measured[-1:], *projected], across, upright, "projected")
    for step in every:
        kind = "dot" if step in measured else "dot open"
        drawing.dot(across.place(max(step.rows, 1)), upright.place(step.score.value), 4.5, kind)
    return drawing.markup()


def calibration(bins: Sequence[Bin]) -> Markup:
    """Accuracy against confidence (the reliability diagram of Niculescu-Mizil and Caruana, 2005), with the counts below."""
    told = "; ".join(f"confidence {quality(part.confidence, 2)}: {quality(part.accuracy, 2)} right of {whole(part.count)}" for part in bins)
    drawing = Drawing("calibration", 380, 460, "Share of right answers against confidence", told, "square")
    across, upright = Scale(0, 1, 44, 368), Scale(0, 1, 354, 30)
    _frame(drawing, upright, 44, 368, "share right")
    drawing.line((across.place(0), upright.place(0), across.place(1), upright.place(1)), "target")
    drawing.line((44, 354, 368, 354), "rule")
    largest = max(part.count for part in bins) or 1
    for part in sorted(bins, key=lambda part: part.confidence):
        x, y = across.place(part.confidence), upright.place(part.accuracy)
        tall = 44 * part.count / largest
        right = quality(part.accuracy, 2)
        drawing.line((x, upright.place(part.confidence), x, y), "gap")
        drawing.group(
            f"confidence {quality(part.confidence, 2)}: {right} right, {whole(part.count)} answers",
            _bin_parts(x, y, tall),
        )
    drawing.line((44, 410, 368, 410), "rule")
    for tick in linear_ticks(0, 1):
        drawing.text(across.place(tick), 428, quality(tick, 1), "tick", "middle")
    drawing.text(206, 452, "confidence, with the number of answers", "axis", "middle")
    return drawing.markup()


def _bin_parts(x: float, y: float, tall: float) -> list[str]:
    inner = Drawing("", 0, 0, "", "")
    inner.box((x - 8, 410 - tall), (16, tall), "bar")
    inner.dot(x, y, 5, "dot")
    return inner.parts
