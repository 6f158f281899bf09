"""Which state of the weights is kept: the best one on validation, within its limits, before an alarm."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dragoman.core.errors import UserError

__all__ = ["Alarm", "Watch"]

Alarm = Callable[[Sequence[Mapping[str, Any]]], str]


@dataclass(frozen=True, slots=True)
class Watch:
    """Which figure of the validation part says that one state of the weights is better than another."""

    metric: str = "macro_f1"
    higher: bool = True
    limits: Mapping[str, float] = field(default_factory=dict)
    "the most that other figures may be in a state that is kept, such as the KL to the reference"
    alarm: Alarm | None = None
    "what says, from all measurements so far, why to stop now and keep an earlier state; empty where nothing is wrong"
    enough: float | None = None
    "how good the metric has to be for the training to end there"
    opening: bool = False
    "whether the net is measured before its first step, so that there is always a state to go back to"

    def reached(self, figures: Mapping[str, Any]) -> str:
        """Why these figures are enough; empty where they are not."""
        value = float(figures[self.metric])
        if self.enough is None or not (value >= self.enough if self.higher else value <= self.enough):
            return ""
        return f"enough: the {self.metric} is {value:.4g}, and {self.enough:g} was asked for"

    def better(self, figures: Mapping[str, Any], than: Mapping[str, Any]) -> bool:
        """Whether these figures beat those; a tie does not, and anything beats nothing."""
        if self.metric not in figures:
            raise UserError(f"validation has no figure named {self.metric}", f"it has {', '.join(sorted(figures))}")
        new, old = figures[self.metric], than.get(self.metric, math.nan)
        if than and any(figures[name] > most for name, most in self.limits.items()):
            return False
        if not math.isfinite(old):  # nothing yet, or a figure that is none
            return True
        return bool(new > old if self.higher else new < old)
