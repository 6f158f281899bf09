"""Schedules of the learning rate: the share of its height that a step has, from the numbers of the step alone.

A run that goes on after a kill therefore needs no state of its schedule.
"""

import math
from typing import Literal

__all__ = ["Cooling", "Schedule", "cooldown_steps", "scheduled", "warmup_steps"]

Schedule = Literal["constant", "linear", "cosine", "wsd"]
Cooling = Literal["sqrt", "linear"]


def warmup_steps(warmup: float, steps: int) -> int:
    """In how many of `steps` steps the rate rises; `warmup` is their share, in [0, 1)."""
    return math.ceil(warmup * steps)


def cooldown_steps(warmup: float, cooldown: float, steps: int) -> int:
    """In how many steps at the end the wsd schedule falls; `cooldown` is their share. The warm-up comes first."""
    return min(math.ceil(cooldown * steps), steps - warmup_steps(warmup, steps))


def scheduled(
    kind: Schedule,
    step: int,
    steps: int,
    warmup: float = 0.0,
    cooldown: float = 0.2,
    floor: float = 0.0,
    cooling: Cooling = "sqrt",
) -> float:
    """The share, in (0, 1], of the highest rate that step `step` (0 is the first) of `steps` has.

    It rises in a line over the share `warmup` of the steps. Then it stays (constant), falls to `floor` in a line
    (linear) or along half a wave (cosine, Loshchilov and Hutter 2017, 1608.03983), or stays and falls in the last
    share `cooldown` of the steps alone (wsd, warm-up, stable, decay: Hu et al. 2024, MiniCPM, 2404.06395). The stable
    part of wsd does not know how long the run is, so that it can be prolonged. Its fall is 1 - sqrt(share done), which
    ends lower than a line does (Haegele et al. 2024, 2405.18392), or a line. The step after the last would have
    `floor`, so even with 0 no step is without a rate. Raises ValueError where there is no such step.
    """
    if not 0 <= step < steps:
        raise ValueError(f"there is no step {step} in a run of {steps}")
    rising = warmup_steps(warmup, steps)
    if step < rising:
        return (step + 1) / rising
    falling = cooldown_steps(warmup, cooldown, steps) if kind == "wsd" else steps - rising
    if kind == "constant" or step < steps - falling:
        return 1.0
    left = (steps - step) / falling  # 1 where the fall begins, above 0 in the last step
    if kind == "cosine":
        height = math.sin(0.5 * math.pi * left) ** 2  # 0.5 (1 + cos(pi (1 - left))) without its cancellation near 0
    elif kind == "wsd" and cooling == "sqrt":
        height = 1.0 - math.sqrt(1.0 - left)
    else:
        height = left
    return floor + (1.0 - floor) * height
