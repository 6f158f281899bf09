"""Successive halving without waiting (ASHA, Li et al. 2018, 1810.05934): where rungs are, and who goes on beyond.

A rung is a share of the budget: eta to the power of 0, 1, 2, ... units. A trial that reaches one goes on where it is
among the best 1/eta of all trials that have reached it so far; nobody waits for the others. The form that stops trials
is used, not the one that pauses them: what is learnt need not be kept.
"""

import math
from collections.abc import Iterable

from dragoman.core.errors import UserError

__all__ = ["goes_on", "is_rung", "units_of"]


def units_of(eta: int, least: float) -> int:
    """Into how many units a budget is cut: the largest power of eta whose unit is no smaller than the share `least`.

    Raises UserError where eta or least cannot be.
    """
    if eta < 2:
        raise UserError(f"eta cannot be {eta}", "one of eta trials goes on: eta=3")
    if not 0 < least <= 1:
        raise UserError(f"least cannot be {least}", "it is the share of the budget that every trial has: least=0.1")
    rungs = math.floor(math.log(1 / least) / math.log(eta) + 1e-9)
    return int(eta**rungs)


def is_rung(unit: int, units: int, eta: int) -> bool:
    """Whether trials are compared after `unit` of `units` units. The end is no rung: there nothing is left to save."""
    while unit > 1 and unit % eta == 0:
        unit //= eta
    return unit == 1 and units > 1


def goes_on(value: float, others: Iterable[float], eta: int, higher: bool) -> bool:
    """Whether a trial with this figure at a rung is among the best 1/eta there; a NaN never is.

    `others` are the figures of the other trials at the same rung. Of the first eta - 1 trials each goes on that is the
    best so far, as nobody knows what is to come; a tie goes on.
    """
    if math.isnan(value):
        return False
    sign = -1.0 if higher else 1.0
    ranked = sorted(sign * one for one in [*others, value] if not math.isnan(one))
    return sign * value <= ranked[max(len(ranked) // eta, 1) - 1]
