"""Parallel coordinates: the settings and the score of every trial of a sweep, one line a trial (Inselberg, 1985)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from markupsafe import Markup

from dragoman.report.axes import FONT, WIDE, Size
from dragoman.report.numbers import amount, brief
from dragoman.report.scale import count_ticks, linear_ticks, stretch
from dragoman.report.svg import Drawing, Sheet
from dragoman.report.text import fitted

__all__ = ["GRADES", "Trial", "Values", "parallel", "varied"]

Values = Mapping[str, float | str]
# As many steps from worst to best as the style sheet has colours.
GRADES = 7
# The least ratio of the ends for a logarithmic axis.
_LOG_FROM = 8.0
_MOST_TICKS = 6
# Of a sideways drawing: the distance of two axes, with their names and figures between them.
_APART = 62.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: its number, how it ended (complete, pruned, failed), its score, and its settings by name."""

    number: int
    state: str
    score: float | None
    settings: Values


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis: from a value to its share of the length; either numbers between two ends, or categories."""

    name: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    categories: tuple[str, ...] = ()
    ticks: tuple[tuple[float, str], ...] = ()

    def share(self, value: float | str) -> float:
        """Where the value stands, in [0, 1]."""
        if self.categories:
            return (self.categories.index(_worded(value)) + 0.5) / len(self.categories)
        low, high, found = self.low, self.high, float(value)
        found = min(max(found, min(low, high)), max(low, high))
        if self.log:
            low, high, found = math.log(low), math.log(high), math.log(found)
        return (found - low) / (high - low) if high != low else 0.5


def varied(trials: Sequence[Trial]) -> list[str]:
    """The settings that differ between trials, in the order in which they appear."""
    names = dict.fromkeys(name for trial in trials for name in trial.settings)
    return [name for name in names if len({_worded(trial.settings.get(name, "")) for trial in trials}) > 1]


def parallel(
    name: str, trials: Sequence[Trial], names: Sequence[str], metric: str, lower: bool, size: Size = WIDE
) -> Markup:
    """The trials over the axes `names` and, last, the score. At least one trial is needed.

    `lower` says that a lower score is the better one: the better end of that axis is always up (or right, in a narrow
    drawing, whose axes lie one below the other). Colour tells the rank, a dashed line a trial that was stopped early, a
    cross one that failed; the best one is drawn last and thick.
    """
    axes = [*(_axis(key, [trial.settings[key] for trial in trials if key in trial.settings]) for key in names)]
    axes.append(_score_axis(trials, metric, lower))
    upright = size.width > 500
    height = size.height if upright else _APART * len(axes) + 36
    drawing = Drawing()
    place = _Places(len(axes), size.width, height, upright)
    for index in range(len(axes)):
        drawing.line((*place.at(index, 0), *place.at(index, 1)), "rule")
    ranked = _ranked(trials, lower)
    for order, (trial, grade) in enumerate(ranked, 1):
        best = " best" if order == len(ranked) and trial.state == "complete" else ""
        _draw_trial(drawing, trial, f"grade-{grade}{best}" if grade >= 0 else "failed", axes, place)
    for index, axis in enumerate(axes):  # the figures over the lines, which would make them hard to read
        _draw_axis(drawing, axis, index, place)
    _legend(drawing, trials, height)
    told = "; ".join(_told(trial, metric) for trial in trials if trial.state == "complete") or "no trial was completed"
    title = f"Settings and {metric} of {len(trials)} trials"
    return drawing.markup(Sheet(f"{name}-{size.name}", size.width, height, title, told, f"parallel {size.name}"))


def _worded(value: float | str) -> str:
    return value if isinstance(value, str) else brief(value)


def _axis(name: str, values: Sequence[float | str]) -> _Axis:
    """Numbers on a linear or a logarithmic axis, words as categories in the order in which they appear."""
    numbers = [value for value in values if not isinstance(value, str)]
    if len(numbers) < len(values) or not numbers:
        categories = tuple(dict.fromkeys(map(_worded, values)))
        middles = [(place + 0.5) / len(categories) for place in range(len(categories))]
        return _Axis(name, categories=categories, ticks=tuple(zip(middles, categories, strict=True)))
    low, high = min(numbers), max(numbers)
    log = low > 0 and high / low >= _LOG_FROM and _evener(numbers)
    bare = _Axis(name, low, high, log)
    known = sorted(set(numbers))
    if len(known) > _MOST_TICKS:
        known = (count_ticks if log else linear_ticks)(low, high, _MOST_TICKS)
    return _Axis(name, low, high, log, ticks=tuple((bare.share(tick), brief(tick)) for tick in known))


def _evener(values: Sequence[float]) -> bool:
    """Whether the middle value stands nearer to the middle of the axis when the axis is logarithmic."""
    middle, low, high = median(values), min(values), max(values)
    plain, log = (middle - low) / (high - low), math.log(middle / low) / math.log(high / low)
    return abs(log - 0.5) < abs(plain - 0.5)


def _score_axis(trials: Sequence[Trial], metric: str, lower: bool) -> _Axis:
    """The score, between the completed trials: one that was stopped because it was bad does not stretch the axis."""
    scores = [trial.score for trial in trials if trial.score is not None and trial.state == "complete"]
    scores = scores or [trial.score for trial in trials if trial.score is not None] or [0.0]
    low, high = stretch(scores, 0.05, abs(scores[0]) * 1e-3 or 1e-3, None)
    bare = _Axis(metric, high, low) if lower else _Axis(metric, low, high)
    ticks = tuple((bare.share(tick), brief(tick)) for tick in linear_ticks(low, high, _MOST_TICKS))
    return _Axis(bare.name, bare.low, bare.high, ticks=ticks)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where things stand: axes side by side and upright, or lying one below the other."""

    count: int
    width: float
    height: float
    upright: bool

    def at(self, index: int, share: float) -> tuple[float, float]:
        """The point on an axis."""
        if self.upright:
            apart = (self.width - 72) / max(self.count - 1, 1)
            return 8 + index * apart, self.height - 44 - share * (self.height - 44 - 40)
        return 12 + share * (self.width - 24), 28 + index * _APART

    @property
    def room(self) -> float:
        """How wide a name may be."""
        return (self.width - 72) / max(self.count - 1, 1) - 12 if self.upright else self.width - 12


def _draw_axis(drawing: Drawing, axis: _Axis, index: int, place: _Places) -> None:
    x1, y1 = place.at(index, 0)
    inner, shown = Drawing(), fitted(axis.name, place.room, FONT)
    last = index == place.count - 1
    kind = "name chosen halo" if last else "name halo"
    if place.upright:
        anchor = "start" if index == 0 else "end" if last else "middle"
        inner.text(place.width if last else max(x1 - 8, 0), 18, shown, kind, anchor)
    else:
        inner.text(0, y1 - 10, shown, kind)
    drawing.group(axis.name, inner)
    for share, words in axis.ticks:
        x, y = place.at(index, share)
        if place.upright:
            drawing.line((x, y, x + 5, y), "rule")
            room = 56.0 if last else place.room - 4
            drawing.text(x + 8, y + 4, fitted(words, room, FONT), "tick halo")
        else:
            drawing.line((x, y, x, y + 5), "rule")
            room = (place.width - 24) / max(len(axis.ticks), 1) if axis.categories else 60.0
            anchor = "start" if share < 0.06 else "end" if share > 0.94 else "middle"
            drawing.text(x, y + 17, fitted(words, room - 4, FONT), "tick halo", anchor)


def _ranked(trials: Sequence[Trial], lower: bool) -> list[tuple[Trial, int]]:
    """The trials in the order in which they are drawn, the best last, each with its grade; -1 for those that failed.

    Ranks, not scores, choose the colours: one trial that went astray would make all others look alike.
    """
    sign = -1.0 if lower else 1.0
    failed = [trial for trial in trials if trial.score is None]
    scored = sorted(
        (trial for trial in trials if trial.score is not None),
        key=lambda trial: (trial.state == "complete", sign * (trial.score or 0.0)),
    )
    last = max(len(scored) - 1, 1)
    graded = [(trial, round((GRADES - 1) * (1 - (len(scored) - 1 - rank) / last))) for rank, trial in enumerate(scored)]
    return [*((trial, -1) for trial in failed), *graded]


def _told(trial: Trial, metric: str) -> str:
    score = f"{metric} {amount(metric, trial.score)}" if trial.score is not None else "no score"
    state = {"complete": "", "pruned": ", stopped early"}.get(trial.state, f", {trial.state}")
    settings = ", ".join(f"{key} {_worded(value)}" for key, value in trial.settings.items())
    return f"trial {trial.number}: {score}{state}" + (f" ({settings})" if settings else "")


def _draw_trial(drawing: Drawing, trial: Trial, look: str, axes: Sequence[_Axis], place: _Places) -> None:
    points = [
        place.at(index, axis.share(trial.settings[axis.name]))
        for index, axis in enumerate(axes[:-1])
        if axis.name in trial.settings
    ]
    inner = Drawing()
    if trial.score is not None:
        points.append(place.at(len(axes) - 1, axes[-1].share(trial.score)))
    elif points:
        x, y = points[-1]
        inner.line((x - 4, y - 4, x + 4, y + 4), "cross")
        inner.line((x - 4, y + 4, x + 4, y - 4), "cross")
    inner.path(points, f"trial {look} stopped" if trial.state == "pruned" else f"trial {look}")
    if not place.upright:  # nobody points with a mouse at a narrow page, and each title has its weight
        drawing.parts += inner.parts
        return
    inner.path(points, "reach")
    drawing.group(_told(trial, axes[-1].name), inner)


def _legend(drawing: Drawing, trials: Sequence[Trial], height: float) -> None:
    """From worst to best, and what a dashed line and a cross say."""
    y = height - 8
    drawing.text(0, y, "worse", "tick")
    for grade in range(GRADES):
        drawing.path([(46 + grade * 13, y - 4), (58 + grade * 13, y - 4)], f"trial best grade-{grade}")
    x = 46 + GRADES * 13 + 5
    drawing.text(x, y, "better", "tick")
    x += 58
    if any(trial.state == "pruned" for trial in trials):
        drawing.path([(x, y - 4), (x + 24, y - 4)], f"trial stopped grade-{GRADES // 2}")
        drawing.text(x + 30, y, "stopped", "tick")
        x += 96
    if any(trial.score is None for trial in trials):
        drawing.line((x - 4, y - 8, x + 4, y), "cross")
        drawing.line((x - 4, y, x + 4, y - 8), "cross")
        drawing.text(x + 9, y, "failed", "tick")
