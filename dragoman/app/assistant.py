"""An assistant: a language model and the steps each question goes through, the same when measured and when served."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dragoman.app.turn import Step, Turn
from dragoman.core.doors import LM, Per, Prompt
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling

__all__ = ["Assistant", "NoModel", "moved_on"]


@dataclass(frozen=True)
class NoModel:
    """The language model of an assistant whose steps need none; asking it is a mistake that is told as one."""

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """Raises UserError."""
        raise self._refusal()

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """Raises UserError."""
        raise self._refusal()

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """Raises UserError."""
        raise self._refusal()

    def _refusal(self) -> UserError:
        return UserError("this assistant has no language model", "train one with: dragoman train")


@dataclass(frozen=True)
class Assistant:
    """Steps in order, over one language model; the evaluation, the ladder and the server run the same object."""

    lm: LM
    steps: tuple[Step, ...]

    def answer(self, questions: Sequence[str | Prompt]) -> list[Turn]:
        """One finished turn a question, in the order given; a dialogue's last message is its question.

        A refused turn is not taken through further steps.
        """
        turns = [Turn(asked) if isinstance(asked, str) else Turn.of(asked) for asked in questions]
        return moved_on(turns, self.steps, self.lm)


def moved_on(turns: Sequence[Turn], steps: Sequence[Step], lm: LM) -> list[Turn]:
    """The turns after these steps, in their order; one that is refused is not taken through further steps."""
    turns = list(turns)
    for step in steps:
        open_places = [place for place, turn in enumerate(turns) if not turn.refused]
        if not open_places:
            break
        moved = step([turns[place] for place in open_places], lm)
        if len(moved) != len(open_places):
            raise RuntimeError(f"{step} made {len(moved)} turns out of {len(open_places)}")
        for place, turn in zip(open_places, moved, strict=True):
            turns[place] = turn
    return turns
