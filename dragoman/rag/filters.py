"""Whether a piece of a document is what a filter asks for, and whether somebody may see it."""

from collections.abc import Mapping

from dragoman.core.documents import All, Either, Equals, Filter, Not, OneOf, Range, Value
from dragoman.core.errors import UserError

__all__ = ["check", "holds", "only_sources", "visible"]

DEEPEST = 32


def check(wanted: Filter, depth: int = 0) -> None:
    """Raise UserError where a filter is no filter, or filters stand in filters too deep."""
    if depth > DEEPEST:
        raise UserError(f"filters stand in filters more than {DEEPEST} deep", "say the same with fewer")
    match wanted:
        case All(parts) | Either(parts):
            for part in parts:
                check(part, depth + 1)
        case Not(part):
            check(part, depth + 1)
        case Equals() | OneOf() | Range():
            pass
        case _:
            raise UserError(f"{wanted!r} is no filter", "take Equals, OneOf, Range, All, Either or Not")


def _same(one: Value, other: Value) -> bool:
    """Whether two values are equal; true is not 1, and 1 is 1.0."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def holds(wanted: Filter | None, source: str, meta: Mapping[str, Value]) -> bool:
    """Whether a piece of this source with this metadata is what is wanted."""
    match wanted:
        case None:
            return True
        case Equals(name, value):
            held = _value(name, source, meta)
            return held is not None and _same(held, value)
        case OneOf(name, values):
            held = _value(name, source, meta)
            return held is not None and any(_same(held, value) for value in values)
        case Range(name, low, high):
            number = _value(name, source, meta)
            if isinstance(number, bool | str) or number is None or number != number:
                return False
            return (low is None or number >= low) and (high is None or number <= high)
        case All(parts):
            return all(holds(part, source, meta) for part in parts)
        case Either(parts):
            return any(holds(part, source, meta) for part in parts)
        case Not(part):
            return not holds(part, source, meta)


def _value(name: str, source: str, meta: Mapping[str, Value]) -> Value | None:
    return source if name == "source" else meta.get(name)


def visible(access: frozenset[str], groups: frozenset[str]) -> bool:
    """Whether a piece that names groups is seen by somebody of these; one that names none is seen by everybody."""
    return not access or not access.isdisjoint(groups)


def only_sources(wanted: Filter | None) -> tuple[str, ...] | None:
    """The sources that a filter can hold for at the most; None where that may be any."""
    match wanted:
        case Equals("source", str(value)):
            return (value,)
        case OneOf("source", values):
            return tuple(value for value in values if isinstance(value, str))
        case All(parts):
            return next((found for part in parts if (found := only_sources(part)) is not None), None)
        case _:
            return None
