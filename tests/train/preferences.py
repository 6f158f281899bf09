"""Pairs of answers for a tiny model: one ends as it should, the other is longer."""

from typing import Any

from dragoman.core.types import Example, Message
from dragoman.train.doors import How
from dragoman.train.fitting import Lesson
from dragoman.train.loop import Training, begin
from dragoman.train.tuning.full import Full
from tests.train.lessons import HOW, NAMES, model, words

__all__ = ["begun_with", "pairs"]


def pairs(count: int = 24) -> list[Example]:
    """The name of the first letter is chosen, that of the next letter rejected."""
    letters = list(NAMES)
    return [
        Example(
            (Message("user", letters[row % 6] + "xyz"[: row % 3]),),
            (NAMES[letters[row % 6]],),
            NAMES[letters[(row + 1) % 6]],
            {"id": f"p{row}"},
        )
        for row in range(count)
    ]


def begun_with(objective: Any, data: Any = None, how: How = HOW, net: Any = None, tuning: Any = None) -> Training:
    """A training of a decoder before its first step."""
    lesson = Lesson(pairs() if data is None else data)
    return begin(net or model(), words(), objective, tuning or Full(), lesson, how)
