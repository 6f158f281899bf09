"""The story of a training as its checkpoints tell it: what was measured, learnt and saved, all of it JSON."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dragoman.train.doors import Step
from dragoman.train.loop import Training

__all__ = ["Story"]


@dataclass
class Story:
    """What a checkpoint notes besides the state of the training: all of it JSON."""

    best: dict[str, Any] = field(default_factory=dict)
    best_step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    open: list[float] = field(default_factory=list)
    "the losses of the stretch that is not full yet"
    since: list[float] = field(default_factory=list)
    "sum and number of the losses since the last measurement"
    seconds: float = 0.0
    tokens: int = 0
    speed: list[list[float]] = field(default_factory=list)
    pace: list[float] = field(default_factory=list)
    "tokens and seconds of the stretch that is not full yet"
    saving: float = 0.0
    figures: dict[str, list[float]] = field(default_factory=dict)
    "what the objective told, a mean a stretch"
    told: dict[str, float] = field(default_factory=dict)
    "its sums over the stretch that is not full yet"
    alarm: str = ""
    "why the training is to stop"

    def add(self, step: Step, stretch: int, seconds: float) -> None:
        """Take a step's loss, tokens and time in; the loss of a step that was left out is no number and is none."""
        self.open.append(step.loss)
        for name, figure in step.figures.items():
            self.told[name] = self.told.get(name, 0.0) + figure
        tokens, spent = self.pace or (0.0, 0.0)
        self.pace = [tokens + step.tokens, spent + seconds]
        if len(self.open) == stretch:
            learnt = [loss for loss in self.open if math.isfinite(loss)]
            self.losses.append(sum(learnt) / len(learnt) if learnt else math.nan)
            self.speed.append([step.number, self.pace[0] / self.pace[1] if self.pace[1] else 0.0, step.rate])
            for name, total in self.told.items():
                self.figures.setdefault(name, []).append(total / stretch)
            self.open, self.pace, self.told = [], [], {}
        if not step.skipped:
            total, count = self.since or (0.0, 0)
            self.since = [total + step.loss, count + 1]
        self.tokens += step.tokens

    def note(self, figures: Mapping[str, Any], training: Training) -> None:
        """Take a measurement in."""
        total, count = self.since or (0.0, 0)
        epoch = training.step / training.steps_an_epoch
        point = {"step": training.step, "epoch": epoch, "tokens": self.tokens, "loss": total / max(1, count)}
        self.history.append(point | dict(figures))
        self.since = []

    def crown(self, figures: Mapping[str, Any], step: int) -> None:
        """Let the state of this step be the best so far."""
        self.best, self.best_step = dict(figures), step

    def measured(self, step: int) -> bool:
        """Whether the net was measured at this step."""
        return any(bool(point["step"] == step) for point in self.history)

    def tired(self, patience: int) -> bool:
        """Whether so many measurements in a row were no better than the best."""
        return bool(0 < patience <= sum(point["step"] > self.best_step for point in self.history))
