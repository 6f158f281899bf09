"""Chooses the label whose description is nearest to the text: no training, no examples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dragoman.app.choice import choose, softmax
from dragoman.app.turn import Turn
from dragoman.core.doors import LM, Embedder

__all__ = ["ZeroShot"]


@dataclass(frozen=True)
class ZeroShot:
    """Cosine between the text and each label's description, made into probabilities by a temperature."""

    embedder: Embedder
    "The model that turns texts into vectors."

    labels: tuple[str, ...] = ()
    "The labels to choose among."

    descriptions: tuple[str, ...] = ()
    "One sentence for each label, in the same order."

    temperature: float = 0.05
    "How far apart two cosines must be to matter: the smaller, the surer. MiniLM was trained at 0.05 (scale 20)."

    multi_label: bool = False
    "Whether several labels may hold for one text."

    threshold: float = 0.5
    "With several: how probable a label must be to be chosen."

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.descriptions):
            raise ValueError(f"{len(self.labels)} labels but {len(self.descriptions)} descriptions")

    @cached_property
    def anchors(self) -> NDArray[np.float64]:
        """The vectors of the descriptions, of shape [labels, width]; made once."""
        return self.embedder.embed(self.descriptions).astype(np.float64)

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn with the answer chosen; with one label a row the scores sum to 1.

        With several, a label is as probable as its cosine stands above the mean cosine of all labels.
        """
        vectors = self.embedder.embed([turn.question for turn in turns]).astype(np.float64)
        cosines = vectors @ self.anchors.T / self.temperature
        if self.multi_label:
            given = 1.0 / (1.0 + np.exp(cosines.mean(axis=1, keepdims=True) - cosines))
        else:
            given = softmax(cosines)
        return [
            replace(
                turn,
                answer=choose(row, self.labels, self.multi_label, self.threshold),
                trace=(*turn.trace, "zero_shot"),
            )
            for turn, row in zip(turns, given, strict=True)
        ]
