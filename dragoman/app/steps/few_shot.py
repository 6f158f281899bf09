"""Answers by the vote of the nearest labelled examples: no training."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dragoman.app.choice import choose
from dragoman.app.nearest import Setting, nearest, tune, votes
from dragoman.app.turn import Turn
from dragoman.core.doors import LM, Embedder

__all__ = ["FewShot"]


@dataclass(frozen=True)
class FewShot:
    """The weighted vote of the examples whose vectors are nearest to the question (k nearest neighbours)."""

    embedder: Embedder
    "The model that turns texts into vectors."

    vectors: NDArray[np.float32]
    "The vectors of the labelled examples, of shape [examples, width], of length 1."

    answers: tuple[tuple[str, ...], ...]
    "The labels of each example."

    labels: tuple[str, ...]
    "The labels to choose among."

    texts: tuple[str, ...] = ()
    "The texts of the examples; where they are given, an example whose text is the question itself does not vote."

    neighbours: int = 8
    "How many examples vote."

    temperature: float = 0.1
    "How fast the weight of a neighbour falls off with its cosine."

    multi_label: bool = False
    "Whether several labels may hold for one text."

    threshold: float = 0.5
    "With several: how probable a label must be to be chosen."

    def __post_init__(self) -> None:
        if len(self.vectors) != len(self.answers) or len(self.texts) not in (0, len(self.answers)):
            sizes = f"{len(self.vectors)} vectors, {len(self.answers)} answers, {len(self.texts)} texts"
            raise ValueError(f"few_shot needs one of each for an example, not {sizes}")

    @cached_property
    def held(self) -> NDArray[np.float64]:
        """1 where a label holds for an example, of shape [examples, labels]."""
        place = {label: number for number, label in enumerate(self.labels)}
        table = np.zeros((len(self.answers), len(self.labels)))
        for row, answers in enumerate(self.answers):
            table[row, [place[answer] for answer in answers]] = 1.0
        return table

    @cached_property
    def same_text(self) -> dict[str, list[int]]:
        """Where each text stands among the examples."""
        found: dict[str, list[int]] = {}
        for place, text in enumerate(self.texts):
            found.setdefault(text, []).append(place)
        return found

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn with the answer chosen; with one label a row the scores sum to 1."""
        questions = [turn.question for turn in turns]
        vectors = self.embedder.embed(questions)
        banned = [np.array(self.same_text.get(question, []), dtype=np.intp) for question in questions]
        cosines, places = nearest(vectors, self.vectors, self.neighbours, banned)
        given = next(votes(cosines, places, self.held, self.temperature, (self.neighbours,), self.multi_label))
        return [
            replace(
                turn,
                answer=choose(row, self.labels, self.multi_label, self.threshold),
                trace=(*turn.trace, "few_shot"),
            )
            for turn, row in zip(turns, given, strict=True)
        ]

    def setting(self, identities: Sequence[str] = (), seed: int = 0) -> Setting:
        """The number of neighbours and the temperature that do best when each example is left out of its own vote."""
        return tune(self.vectors, self.held, identities, multi_label=self.multi_label, seed=seed)

    def tuned(self, identities: Sequence[str] = (), seed: int = 0) -> "FewShot":
        """The same examples with the best setting."""
        best = self.setting(identities, seed)
        return replace(self, neighbours=best.neighbours, temperature=best.temperature)
