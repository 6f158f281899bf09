"""Lets the language model choose among the labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dragoman.app.choice import choose, softmax
from dragoman.app.turn import Turn
from dragoman.core.doors import LM

__all__ = ["Classify"]


@dataclass(frozen=True)
class Classify:
    """Asks the model for the log-probability of each label after the question and chooses."""

    labels: tuple[str, ...] = ()
    "The labels to choose among."

    multi_label: bool = False
    "Whether several may hold for one text."

    threshold: float = 0.5
    "With several: how probable a label must be to be chosen."

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn with the answer chosen; with one label a row the scores are made to sum to 1."""
        logs = np.asarray(lm.score([turn.prompt for turn in turns], self.labels), dtype=np.float64)
        given = np.exp(logs) if self.multi_label else softmax(logs)
        return [
            replace(
                turn,
                answer=choose(row, self.labels, self.multi_label, self.threshold),
                trace=(*turn.trace, "classify"),
            )
            for turn, row in zip(turns, given, strict=True)
        ]
