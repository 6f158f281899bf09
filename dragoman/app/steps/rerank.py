"""Puts the passages that were found in a better order, and keeps the best of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dragoman.app.passages import sources_of
from dragoman.app.turn import Turn
from dragoman.core.doors import LM

__all__ = ["Rerank"]


@dataclass(frozen=True)
class Rerank:
    """The passages by how well a model that reads question and passage together rates them (Nogueira and Cho, 2019)."""

    rate: Callable[[Sequence[str], Sequence[str]], NDArray[np.float64]]
    "How well each text answers the question beside it, of shape [n]; higher is better."

    keep: int = 5
    "The most passages that are kept."

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn with its best passages, rated in one batch and numbered anew; of equals the first stays first.

        A passage that is rated as no number comes last.
        """
        asked = [(turn.sought or turn.question, one.chunk.embedded) for turn in turns for one in turn.passages]
        rated = iter(self.rate([pair[0] for pair in asked], [pair[1] for pair in asked]).tolist() if asked else [])
        found = []
        for turn in turns:
            scored = [(next(rated), passage) for passage in turn.passages]
            scored.sort(key=lambda pair: -np.inf if np.isnan(pair[0]) else pair[0], reverse=True)
            passages = tuple(
                replace(passage, score=float(score), number=number)
                for number, (score, passage) in enumerate(scored[: self.keep], 1)
            )
            trace = (*turn.trace, "rerank")
            found.append(replace(turn, passages=passages, citations=(), sources=sources_of(passages), trace=trace))
        return found
