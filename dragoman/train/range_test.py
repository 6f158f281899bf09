"""The learning-rate range test: the rate rises from step to step while the loss is watched (Smith 2017, 1506.01186).

The course is exponential, so that each factor of ten has as many steps. Where the loss falls most steeply the net
learns most from a step; where it rises again the rate is too high; a good rate lies between.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dragoman.core.errors import UserError
from dragoman.core.show import Tick, silent
from dragoman.train.doors import How
from dragoman.train.loop import Training, fit

__all__ = ["Found", "range_how", "range_test", "suggest"]

SMOOTH = 0.9
"share of the running mean of the loss that a step keeps"
WORSE = 1.5
"the test ends where the smoothed loss is so many times its lowest"


@dataclass(frozen=True, slots=True)
class Found:
    """What the test saw: (rate, loss) of each step, and the rate that it suggests."""

    points: tuple[tuple[float, float], ...]
    chosen: float


def range_how(how: How, steps: int) -> How:
    """The settings of the loop for a test of so many steps: nothing but this file moves the rate."""
    return replace(how, steps=steps, rate=how.rate or 1.0, schedule="constant", warmup=0.0, average=0.0, on_nan="skip")


def range_test(training: Training, low: float, high: float, tick: Tick = silent) -> Found:
    """Train from the rate `low` to `high`, both above 0, until the steps are done or the loss has left all bounds.

    The training must not have begun, and is of no use afterwards; its settings are those of `range_how`. Raises
    UserError where the loss never fell, so that nothing can be suggested.
    """
    points: list[tuple[float, float]] = []
    mean, lowest = 0.0, math.inf
    steps, last = fit(training), max(training.steps - 1, 1)
    for number in range(training.steps):
        rate = low * (high / low) ** (number / last)
        training.kit = replace(training.kit, how=replace(training.how, rate=rate))
        step = next(steps)
        if step.skipped:
            break
        points.append((rate, step.loss))
        mean = SMOOTH * mean + (1 - SMOOTH) * step.loss
        smooth = mean / (1 - SMOOTH ** len(points))
        lowest = min(lowest, smooth)
        tick((number + 1) / training.steps, f"rate {rate:.2g}, loss {smooth:.3f}")
        if smooth > WORSE * lowest and number > training.steps // 10:
            break
    return Found(tuple(points), suggest(points))


def suggest(points: Sequence[tuple[float, float]]) -> float:
    """The rate half way, by ratio, between where the loss falls fastest and where it is lowest: points of (rate, loss).

    The fastest fall alone, which is often taken, lies too low by a factor of 4: for a decoder of 800,000 weights on the
    characters of Shakespeare it is at 4.8e-4 where the best of 16 rates is 2.5e-3; the lowest loss, at 7e-3, is too
    high. Raises UserError where the loss never falls.
    """
    wide = max(1, len(points) // 20)  # a slope over one step is noise
    losses = [loss for _, loss in points]
    spans = [losses[max(place - wide, 0) : place + wide + 1] for place in range(len(losses))]
    smooth = [sum(span) / len(span) for span in spans]
    lowest = min(range(len(smooth)), key=smooth.__getitem__) if smooth else 0
    slopes = [(smooth[place + wide] - smooth[place - wide], place) for place in range(wide, lowest - wide + 1)]
    if not slopes or min(slopes)[0] >= 0:
        raise UserError(
            "the loss did not fall at any rate of the range test",
            'test lower rates, or more steps: range_test=true range="1e-6..1e-2 log" range_steps=400',
        )
    return math.sqrt(points[min(slopes)[1]][0] * points[lowest][0])
