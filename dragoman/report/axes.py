"""What charts with two axes share: their sizes, the upright axis with its rules, and the target line."""

from collections.abc import Sequence
from dataclasses import dataclass

from dragoman.report.numbers import amount, brief, compact, quality
from dragoman.report.scale import Scale, count_ticks, linear_ticks, stretch
from dragoman.report.svg import Drawing
from dragoman.report.text import advance

__all__ = ["FONT", "NARROW", "WIDE", "Box", "Line", "Size", "frame", "target_line", "upright_scale", "upright_ticks"]

FONT = 13.0
# The left, upper, right and lower edge of a place that is taken.
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


def _limits(values: Sequence[float]) -> tuple[float, float] | None:
    """The range that cannot be left: most figures of quality are shares."""
    return (0.0, 1.0) if min(values) >= 0 and max(values) <= 1 else None


def upright_scale(values: Sequence[float], top: float, bottom: float) -> Scale:
    low, high = stretch(values, 0.12, 0.1 if _limits(values) else 1e-9, _limits(values))
    return Scale(low, high, bottom, top)


def frame(drawing: Drawing, upright: Scale, left: float, right: float, name: str, base: float = 13) -> None:
    """The horizontal rules, their figures, and the name of the upright axis, whose base line stands at `base`."""
    for tick, words in upright_ticks(upright):
        y = upright.place(tick)
        drawing.line((left, y, right, y), "grid")
        drawing.text(left - 8, y + 4, words, "tick", "end")
    drawing.text(0, base, name, "axis")


def upright_ticks(upright: Scale) -> list[tuple[float, str]]:
    """The round figures of an upright axis with their words, fewer where it is short."""
    most = min(max(int(abs(upright.end - upright.start) / 26), 2), 6)
    if upright.log and upright.high > 20 * upright.low:
        return [(tick, brief(tick)) for tick in count_ticks(upright.low, upright.high, most)]
    ticks = linear_ticks(upright.low, upright.high, most)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    if step < 0.001 or step >= 1e6:
        return [(tick, brief(tick) if step < 0.001 else compact(tick)) for tick in ticks]
    digits = 0 if step >= 1 else 1 if step >= 0.1 else 2 if step >= 0.01 else 3
    return [(tick, quality(tick, digits)) for tick in ticks]


def target_line(drawing: Drawing, upright: Scale, line: Line, left: float, right: float) -> Box:
    """The target line with its better side washed; returns the box of its words."""
    y = upright.place(line.bound)
    edge = upright.end if line.above else upright.start
    drawing.box((left, min(y, edge)), (right - left, abs(y - edge)), "zone")
    drawing.line((left, y, right, y), "target")
    words = f"target {amount(line.metric, line.bound)}"
    width = advance(words, FONT)
    below = 17.0 if line.above else -7.0
    drawing.text(right - 4, y + below, words, "target-name", "end")
    return right - 4 - width, y + below - 12, right - 4, y + below + 4
