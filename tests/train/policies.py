"""A policy over the smallest language, ready to learn: what the tests of learning from rewards begin with."""

import copy
from dataclasses import replace
from typing import Any

from dragoman.train.doors import How, Kit
from dragoman.train.loop import Training, begin
from dragoman.train.policy import Practice
from dragoman.train.tuning.full import Full
from tests.micro import BETA, LENGTH, Letters, Micro

__all__ = ["HOW", "SHARED", "begun_on", "kit_of"]

HOW = How(
    batch=64, steps=300, rate=3e-3, max_length=16, precision="fp32", device="cpu", average=0.0, warmup=0.0, decay=0.0,
    epsilon=1e-5,
)  # fmt: skip
SHARED: dict[str, Any] = {"max_tokens": LENGTH, "must_stop": False, "beta": BETA, "episodes": 64}
"settings of every objective that learns from rewards"


def begun_on(world: Micro, objective: Any, how: How = HOW, tuning: Any = None, **change: Any) -> Training:
    """A training of a copy of the net before its first step."""
    how = replace(how, **change)
    practice = Practice(world.prompts, world.reward)
    return begin(copy.deepcopy(world.net), Letters(), objective, tuning or Full(), practice, how)


def kit_of(how: How = HOW) -> Kit:
    """What an objective is given."""
    return Kit(how, Letters())
