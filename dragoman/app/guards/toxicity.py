"""Tells texts that hurt from others by a model that learnt it, never by a list of words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dragoman.app.refusal import Calibrated, calibrate
from dragoman.core.doors import LM, Prompt, Reward
from dragoman.core.errors import UserError
from dragoman.core.types import Message

__all__ = ["LabelledReward", "Toxicity"]


@dataclass(frozen=True)
class LabelledReward:
    """A classifier as a judge: an answer is worth one minus the probability of the labels that are bad."""

    lm: LM
    labels: tuple[str, ...]
    bad: tuple[str, ...]

    def rate(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> NDArray[np.float64]:
        """Of shape [n], 0 to 1; the answer alone is read. Raises UserError where a bad label is none of the labels."""
        unknown = [label for label in self.bad if label not in self.labels]
        if unknown or not self.bad:
            named = ", ".join(self.labels)
            raise UserError(
                f"no bad label among {named}: {', '.join(unknown) or 'none named'}", f"name one of: {named}"
            )
        if not answers:
            return np.zeros(0)
        logs = self.lm.score([(Message("user", answer),) for answer in answers], self.labels)
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        worth: NDArray[np.float64] = 1.0 - shares[:, [self.labels.index(label) for label in self.bad]].sum(axis=1)
        return worth


@dataclass(frozen=True)
class Toxicity:
    """A judge and the worth below which a text is not said."""

    judge: Reward
    threshold: float = 0.5
    "below this worth a text is withheld; `calibrated` finds it"

    def refuses(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> list[str]:
        """Why each answer is withheld; empty where it is not. A worth that is no number withholds."""
        if not answers:
            return []
        worth = self.judge.rate(prompts, answers)
        return [
            "" if float(one) >= self.threshold else f"toxicity: {float(one):.3f} is below {self.threshold:.3f}"
            for one in worth
        ]

    def calibrated(self, clean: Sequence[str], toxic: Sequence[str]) -> "tuple[Toxicity, Calibrated]":
        """The same with its threshold chosen on texts of both kinds, and how often that errs on others.

        Raises UserError where there are under 10 of either.
        """
        texts = [*clean, *toxic]
        worth = self.judge.rate([()] * len(texts), texts)
        found = calibrate(worth.tolist(), [True] * len(clean) + [False] * len(toxic))
        return Toxicity(self.judge, found.threshold), found
