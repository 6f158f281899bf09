"""Maps figures to places in a drawing, and chooses the round figures an axis names."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Scale", "count_ticks", "linear_ticks", "stretch", "time_ticks"]

# Round for a person and about evenly spread on a log axis, in seconds.
_TIMES = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36000.0, 86400.0, 864000.0, 8640000.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """From figures in [low, high] to places between `start` and `end`; figures outside are put on the edge."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def place(self, value: float) -> float:
        """Where the value stands, in the unit of the drawing."""
        low, high = self.low, self.high
        value = min(max(value, low), high)
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)


def stretch(
    values: Sequence[float], pad: float, least: float, limits: tuple[float, float] | None
) -> tuple[float, float]:
    """A range that holds the values with a margin of `pad` of its width, at least `least` wide, inside the limits."""
    low, high = min(values), max(values)
    width = max(high - low, least)
    middle = (low + high) / 2
    low, high = min(low, middle - width / 2) - pad * width, max(high, middle + width / 2) + pad * width
    if limits is not None:
        low, high = max(low, limits[0]), min(high, limits[1])
    return (low, high) if high > low else (low, low + 1.0)


def linear_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round figures between low and high, `most` at the most."""
    span = high - low
    power = 10.0 ** math.floor(math.log10(span))
    for step in (power / 10 * factor for factor in (1, 2, 5, 10, 20, 50, 100)):
        first = math.ceil(low / step - 1e-9)
        last = math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            return [round(index * step, 12) for index in range(first, last + 1)]
    return [low, high]


def time_ticks(low: float, high: float) -> list[float]:
    """The round times between low and high, in seconds."""
    return [time for time in _TIMES if low <= time <= high]


def count_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Round counts between low and high for a log axis: powers of ten, and 2 and 5 where they are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        found = [factor * 10.0**power for power in powers for factor in factors]
        found = [tick for tick in found if low <= tick <= high]
        if len(found) <= most:
            return found
    return [low, high]
