"""Says "not in the documents" where nothing was found that is near enough to the question."""

from collections.abc import Sequence
from dataclasses import dataclass

from dragoman.app.refusal import refused, surety
from dragoman.app.turn import Turn
from dragoman.core.doors import LM

__all__ = ["Refuse"]


@dataclass(frozen=True)
class Refuse:
    """Refuses where the best passage scores below a threshold, and always where there is no passage."""

    threshold: float = -1.0
    "Of the best cosine, or of the best score where cosines are not known; app.refusal.calibrate finds it."

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn, those that are refused with the refusal as their answer."""
        found = []
        for turn in turns:
            sure = surety(turn.passages)
            if turn.passages and sure >= self.threshold:
                found.append(turn)
            elif not turn.passages:
                found.append(refused(turn, "refuse: nothing was found"))
            else:
                found.append(refused(turn, f"refuse: {sure:.3f} is below {self.threshold:.3f}"))
        return found
