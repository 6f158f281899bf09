"""Reads the values of a run record with care: what is missing or not finite becomes None, never a figure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from dragoman.report.text import visible

__all__ = ["Figure", "Table", "count", "figure", "hollow", "number", "rows", "table", "threshold", "words"]

Table = Mapping[str, object]

# Above this a figure is no measurement, and a scale drawn around it would overflow. NaN is not below it either. The
# largest trainings so far took 1e26 floating-point operations.
_LARGEST = 1e28


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure as the record gives it: the interval and the number of rows may be missing."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None

    @property
    def wide(self) -> bool:
        """Whether there is an interval to draw: a size on disk has none, and none is claimed for it."""
        return self.low is not None and self.high is not None and self.low < self.high

    @property
    def ends(self) -> tuple[float, float]:
        """The lower and upper end, in this order; both are the value where there is no interval."""
        if self.low is None or self.high is None:
            return self.value, self.value
        return min(self.low, self.high), max(self.low, self.high)


def number(value: object) -> float | None:
    """The value as a finite number. None, NaN, infinities, booleans and words give None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if abs(found) <= _LARGEST else None


def count(value: object) -> int | None:
    """The value as a whole number, or None."""
    found = number(value)
    return None if found is None else round(found)


def words(value: object) -> str:
    """The value as one text to show: nothing for None and NaN, yes or no for a boolean, no hidden characters."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{visible(str(key))} = {words(item)}" for key, item in value.items() if not hollow(item))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(words(item) for item in value if not hollow(item))
    return visible(str(value))


def table(value: object) -> Table:
    """The value as a mapping; anything else is an empty one."""
    return cast(Table, value) if isinstance(value, Mapping) else {}


def rows(value: object) -> list[Table]:
    """The mappings in a list; anything else is left out."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    return [cast(Table, item) for item in value if isinstance(item, Mapping)]


def figure(value: object) -> Figure | None:
    """An estimate {value, low, high, n}, or a bare number; None where there is no finite value."""
    if not isinstance(value, Mapping):
        bare = number(value)
        return None if bare is None else Figure(bare)
    middle = number(value.get("value"))
    if middle is None:
        return None
    return Figure(middle, number(value.get("low")), number(value.get("high")), count(value.get("n")))


def threshold(asked: object) -> tuple[str, float] | None:
    """The comparison and the bound of a criterion such as '>= 0.60'; None where it is not written so."""
    text = asked.strip() if isinstance(asked, str) else ""
    for op in (">=", "<=", ">", "<"):
        if text.startswith(op):
            try:
                bound = number(float(text[len(op) :].replace("_", "").split()[0]))
            except (ValueError, IndexError):
                return None
            return None if bound is None else (op, bound)
    return None


def hollow(value: object) -> bool:
    """Whether there is nothing in it to show: None, NaN, no text, or a list or mapping of such."""
    if isinstance(value, Mapping):
        return all(hollow(item) for item in value.values())
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, Sequence):
        return all(hollow(item) for item in value)
    return value is None or (isinstance(value, float) and not math.isfinite(value))
