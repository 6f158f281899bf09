"""Writes a question the way training texts are written, so that a served text is read as a measured one."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dragoman.app.turn import Turn
from dragoman.core.doors import LM

__all__ = ["Tidy"]


@dataclass(frozen=True)
class Tidy:
    """Unicode in its composed form (NFC) and no white space at the ends, as the data is cleaned before training."""

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn with its question tidied; a tidy one is unchanged."""
        return [replace(turn, question=unicodedata.normalize("NFC", turn.question).strip()) for turn in turns]
