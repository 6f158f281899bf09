"""Tells questions that an assistant is for from others, by their nearness to what it is for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dragoman.app.refusal import Calibrated, calibrate
from dragoman.core.doors import Embedder
from dragoman.core.errors import UserError

__all__ = ["Topic"]


@dataclass(frozen=True)
class Topic:
    """The cosine of a question with the nearest of the texts that say what an assistant is for."""

    embedder: Embedder
    texts: tuple[str, ...]
    "the objective of the scope, and questions that it is for"
    threshold: float = 0.0
    "below this nearness a question is not answered; `calibrated` finds it"

    def nearness(self, questions: Sequence[str]) -> list[float]:
        """How near each question is to what it is for, -1 to 1. Raises UserError where nothing says what that is."""
        texts = [text for text in self.texts if text.strip()]
        if not texts:
            raise UserError("nothing says what the assistant is for", "say it in the project: scope.objective=...")
        if not questions:
            return []
        near = self.embedder.embed(questions) @ self.embedder.embed(texts).T
        return [float(one) for one in np.max(near, axis=1)]

    def refuses(self, questions: Sequence[str]) -> list[str]:
        """Why each question is not answered; empty where it is."""
        return [
            f"topic: {near:.3f} is below {self.threshold:.3f}" if near < self.threshold else ""
            for near in self.nearness(questions)
        ]

    def calibrated(
        self, within: Sequence[str], outside: Sequence[str], most_false_refusals: float = 1.0
    ) -> "tuple[Topic, Calibrated]":
        """The same with its threshold chosen on questions of both kinds, and how often that errs on others.

        Raises UserError where there are under 10 of either.
        """
        found = calibrate(
            self.nearness([*within, *outside]), [True] * len(within) + [False] * len(outside), most_false_refusals
        )
        return Topic(self.embedder, self.texts, found.threshold), found
