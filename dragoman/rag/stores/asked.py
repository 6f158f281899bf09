"""A filter as every database can be asked it: numbers as doubles, both bounds of a range given, nothing odd left."""

import sys

from dragoman.core.documents import All, Either, Equals, Filter, Not, OneOf, Range, Value
from dragoman.core.errors import UserError
from dragoman.rag.filters import check
from dragoman.rag.stores.rows import as_word

__all__ = ["NOTHING", "plain"]

NOTHING = Either(())
"what holds for no piece"
MOST = sys.float_info.max


def plain(wanted: Filter) -> Filter:
    """The same filter, of Equals, Range, All, Either and Not alone.

    Values are texts, truth values and floats; ranges have two finite bounds, and an empty All holds, an empty Either
    does not. Raises UserError where it is no filter, or filters stand in filters too deep.
    """
    check(wanted)
    return _plain(wanted)


def _plain(wanted: Filter) -> Filter:
    match wanted:
        case Equals(name, value):
            return _equals(name, value)
        case OneOf(name, values):
            return Either(tuple(_equals(name, value) for value in values))
        case Range(name, low, high):
            return _range(name, low, high)
        case All(parts):
            return All(tuple(_plain(part) for part in parts))
        case Either(parts):
            return Either(tuple(_plain(part) for part in parts))
        case Not(part):
            return Not(_plain(part))
    raise UserError(f"{wanted!r} is no filter", "take Equals, OneOf, Range, All, Either or Not")


def _equals(name: str, value: Value) -> Filter:
    if isinstance(value, str):
        return Equals(name, as_word(value))
    if name == "source":
        return NOTHING  # which is a text
    if isinstance(value, bool):
        return Equals(name, value)
    number = _double(value)
    return Equals(name, number) if -MOST <= number <= MOST else NOTHING  # what is not finite is no metadata


def _range(name: str, low: float | None, high: float | None) -> Filter:
    least, most = -MOST if low is None else _double(low), MOST if high is None else _double(high)
    if name == "source" or not least <= most or least > MOST or most < -MOST:
        return NOTHING
    return Range(name, max(least, -MOST), min(most, MOST))


def _double(value: float) -> float:
    """A number as a double; what is too large is infinite."""
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
