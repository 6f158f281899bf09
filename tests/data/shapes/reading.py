"""What the tests of shapes share: the example of a row, and the name under which a row is refused."""

from collections.abc import Callable, Mapping
from typing import Any

from dragoman.core.types import Example
from dragoman.data.columns import Schema
from dragoman.data.problems import Place, Problem, Row
from dragoman.data.shaping import Shaped

__all__ = ["PLACE", "notes", "refused", "schema", "shaped", "turns"]

PLACE = Place("a.jsonl", 7)
Made = Callable[[Row], Shaped]


def shaped(shape: Made, values: Mapping[str, Any]) -> Example:
    """The example of a row that is not refused."""
    found = shape(Row(PLACE, values))
    assert not isinstance(found, Problem), found
    return found[0]


def notes(shape: Made, values: Mapping[str, Any]) -> tuple[str, ...]:
    """What was changed in a row that is not refused."""
    found = shape(Row(PLACE, values))
    assert not isinstance(found, Problem), found
    return found[1]


def refused(shape: Made, values: Mapping[str, Any]) -> str:
    """The name of the problem that refuses a row."""
    found = shape(Row(PLACE, values))
    assert isinstance(found, Problem), found
    assert found.place == PLACE
    assert found.reason
    return found.name


def schema(*rows: Mapping[str, Any]) -> Schema:
    """The columns of these rows."""
    made = Schema()
    for number, values in enumerate(rows, start=1):
        made.see(Row(Place("a.jsonl", number), values))
    return made


def turns(example: Example) -> list[tuple[str, str]]:
    """Who says what in the prompt."""
    return [(message.role, message.content) for message in example.prompt]
