"""Successive halving without waiting (ASHA, Li et al. 2018, 1810.05934): where rungs are, and who goes on beyond.

A rung is a share of the budget: eta to the power of 0, 1, 2, ... units. A trial pauses at a rung, and goes on when it
is among the best 1/eta of all that have reached it. Nobody waits for the others: whoever is free takes the next step up
that can be taken, or else begins a new trial.
"""

import math
from collections.abc import Collection, Mapping

from dragoman.core.errors import UserError

__all__ = ["promoted", "rungs_of", "units_of"]


def units_of(eta: int, least: float) -> int:
    """Into how many units a budget is cut: the largest power of eta whose unit is no smaller than the share `least`.

    Raises UserError where eta or least cannot be.
    """
    if eta < 2:
        raise UserError(f"eta cannot be {eta}", "one of eta trials goes on: eta=3")
    if not 0 < least <= 1:
        raise UserError(f"least cannot be {least}", "it is the share of the budget that every trial has: least=0.1")
    return int(eta ** math.floor(math.log(1 / least) / math.log(eta) + 1e-9))


def rungs_of(units: int, eta: int) -> tuple[int, ...]:
    """After how many units trials are compared, the end included: 1, 3, 9 for 9 units and an eta of 3."""
    found = [1]
    while found[-1] * eta <= units:
        found.append(found[-1] * eta)
    return (*found[:-1], units)


def promoted(values: Mapping[int, float], gone: Collection[int], eta: int, higher: bool, least: int = 0) -> int | None:
    """Which trial at a rung goes on next: the best one that is among the best 1/eta, at least `least`, and still there.

    `values` are the figures of all trials that have reached the rung by their numbers, and `gone` those that went on
    already. One that is not finite never goes on, but has been there. None where nobody does.
    """
    sign = -1.0 if higher else 1.0
    known = [number for number, value in values.items() if math.isfinite(value)]
    ranked = sorted(known, key=lambda number: (sign * values[number], number))
    best = ranked[: max(len(values) // eta, least)]
    return next((number for number in best if number not in gone), None)
