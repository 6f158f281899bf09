"""The learning curve and the calibration curve."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dragoman.report.axes import Line, Size, frame, target_line, upright_scale
from dragoman.report.numbers import quality, spread, whole
from dragoman.report.record import Figure
from dragoman.report.scale import Scale, count_ticks, linear_ticks
from dragoman.report.svg import Drawing, Sheet

__all__ = ["Bin", "Step", "calibration", "learning"]


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
        told += ". Projected: " + "; ".join(
            f"{whole(step.rows)} rows: {spread(metric, step.score)}" for step in projected
        )
    name = metric or "score"
    title = f"{name} against the number of training rows"
    drawing, height = Drawing(), size.height * 0.8
    left, right, top, bottom = 46.0, size.width - 12, 34.0, height - 46
    values = [end for step in every for end in step.score.ends] + ([line.bound] if line else [])
    upright = upright_scale(values, top, bottom)
    counts = [max(step.rows, 1) for step in every]
    across = Scale(min(counts) / 1.25, max(counts) * 1.25, left, right, log=True)
    frame(drawing, upright, left, right, name)
    drawing.line((left, bottom, right, bottom), "rule")
    for tick in count_ticks(across.low, across.high, 8 if size.width > 500 else 4):
        x = across.place(tick)
        drawing.line((x, bottom, x, bottom + 5), "rule")
        drawing.text(x, bottom + 20, whole(tick), "tick", "middle")
    drawing.text((left + right) / 2, height - 6, "training rows, log scale", "axis", "middle")
    if line is not None:
        target_line(drawing, upright, line, left, right)
    if measured:
        _curve(drawing, measured, across, upright, "measured")
    if projected:
        _curve(drawing, [*measured[-1:], *projected], across, upright, "projected")
    for step in every:
        kind = "dot" if step in measured else "dot open"
        drawing.dot(across.place(max(step.rows, 1)), upright.place(step.score.value), 4.5, kind)
    return drawing.markup(Sheet(f"learning-{size.name}", size.width, height, title, told, size.name))


def calibration(bins: Sequence[Bin]) -> Markup:
    """Accuracy against confidence (the reliability diagram of Niculescu-Mizil and Caruana, 2005), with counts."""
    told = "; ".join(
        f"confidence {quality(part.confidence, 2)}: {quality(part.accuracy, 2)} right of {whole(part.count)}"
        for part in bins
    )
    drawing = Drawing()
    across, upright = Scale(0, 1, 44, 368), Scale(0, 1, 354, 30)
    frame(drawing, upright, 44, 368, "share right")
    drawing.line((across.place(0), upright.place(0), across.place(1), upright.place(1)), "ideal")
    drawing.line((44, 354, 368, 354), "rule")
    largest = max(part.count for part in bins) or 1
    for part in sorted(bins, key=lambda part: part.confidence):
        x, y = across.place(part.confidence), upright.place(part.accuracy)
        tall = 44 * part.count / largest
        drawing.line((x, upright.place(part.confidence), x, y), "gap")
        inner = Drawing()
        inner.box((x - 8, 410 - tall), (16, tall), "bar")
        inner.dot(x, y, 5, "dot")
        right = quality(part.accuracy, 2)
        drawing.group(f"confidence {quality(part.confidence, 2)}: {right} right, {whole(part.count)} answers", inner)
    drawing.line((44, 410, 368, 410), "rule")
    for tick in linear_ticks(0, 1):
        drawing.text(across.place(tick), 428, quality(tick, 1), "tick", "middle")
    drawing.text(206, 452, "confidence, with the number of answers", "axis", "middle")
    return drawing.markup(Sheet("calibration", 380, 460, "Share of right answers against confidence", told, "square"))
