"""Tells rows that a model made from rows of people: what is measured on is never the first kind.

A row says it of itself: `"generated": true`.
"""

from collections.abc import Sequence

from dragoman.core.errors import UserError
from dragoman.core.types import Example

__all__ = ["GENERATED", "is_generated", "of_people", "refuse_generated"]

GENERATED = "generated"
"the column, and the key in the meta of an example"


def is_generated(example: Example) -> bool:
    """Whether the row says that a model made it."""
    return example.meta.get(GENERATED) is True


def of_people(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """The rows of people and those that a model made, each in their order."""
    people = [one for one in examples if not is_generated(one)]
    return people, [one for one in examples if is_generated(one)]


def refuse_generated(part: Sequence[Example], name: str) -> None:
    """Raise UserError where a part that is measured on holds rows that a model made."""
    made = [one for one in part if is_generated(one)]
    if made:
        raise UserError(
            f"{len(made):,} of {len(part):,} rows of data.{name} are generated, the first at "
            f"{made[0].meta.get('place', '')}: a figure on them says nothing of what people ask",
            f"put them into data.source, and only rows of people into data.{name}=PATH",
        )
