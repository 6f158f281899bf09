"""Steps in a row as one step, so that a guard can stand around all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from dragoman.app.assistant import moved_on
from dragoman.app.turn import Step, Turn
from dragoman.core.doors import LM

__all__ = ["Chain"]


@dataclass(frozen=True)
class Chain:
    """The steps one after the other; a turn that one refuses goes through none of the others."""

    steps: tuple[Step, ...] = ()
    "The steps in their order."

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn as the last step left it."""
        return moved_on(turns, self.steps, lm)
