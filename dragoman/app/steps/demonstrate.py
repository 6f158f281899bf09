"""Shows the model solved examples in front of each question: the nearest ones, and never the question itself (KATE)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dragoman.app.nearest import nearest
from dragoman.app.turn import Turn
from dragoman.core.doors import LM, Embedder
from dragoman.core.types import Message

__all__ = ["Demonstrate"]


@dataclass(frozen=True)
class Demonstrate:
    """k nearest examples as earlier turns of the dialogue, the nearest last (Liu et al. 2021, 2101.06804).

    The text of a question is looked for among the examples, and one with the same text is never shown.
    """

    embedder: Embedder
    "The model that turns texts into vectors."

    questions: tuple[str, ...] = ()
    "What was asked in the examples."

    answers: tuple[str, ...] = ()
    "What was answered, one for each question."

    vectors: NDArray[np.float32] | None = None
    "The vectors of the questions, of shape [examples, width]; None computes them once."

    shots: int = 4
    "How many examples are shown."

    most: int = 2000
    "Characters that the examples may have together; the farthest are left out first."

    def __post_init__(self) -> None:
        if len(self.questions) != len(self.answers):
            raise ValueError(f"{len(self.questions)} questions but {len(self.answers)} answers")

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """Where each question stands among the examples."""
        found: dict[str, list[int]] = {}
        for place, text in enumerate(self.questions):
            found.setdefault(text.strip(), []).append(place)
        return found

    @cached_property
    def known(self) -> NDArray[np.float32]:
        """The vectors of the examples."""
        return self.embedder.embed(self.questions) if self.vectors is None else self.vectors

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn with its examples in front."""
        if not self.questions or not self.shots:
            return list(turns)
        asked = [turn.question for turn in turns]
        banned = [np.array(self.places.get(text.strip(), []), dtype=np.intp) for text in asked]
        cosines, places = nearest(self.embedder.embed(asked), self.known, self.shots, banned)
        return [
            replace(turn, messages=_behind_system(turn.messages, self._shown(places[row][np.isfinite(cosines[row])])))
            for row, turn in enumerate(turns)
        ]

    def _shown(self, places: NDArray[np.intp]) -> tuple[Message, ...]:
        """The examples at these places, nearest first, as messages with the nearest last, as many as fit."""
        shown: list[Message] = []
        room = self.most
        for place in places:
            question, answer = self.questions[place], self.answers[place]
            room -= len(question) + len(answer)
            if room < 0:
                break
            shown = [Message("user", question), Message("assistant", answer), *shown]
        return tuple(shown)


def _behind_system(messages: tuple[Message, ...], shown: tuple[Message, ...]) -> tuple[Message, ...]:
    """The examples behind what the system says and in front of the dialogue, which stays in one piece."""
    place = next(
        (place for place, one in enumerate(messages) if one.role not in ("system", "developer")), len(messages)
    )
    return (*messages[:place], *shown, *messages[place:])
