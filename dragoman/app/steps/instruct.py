"""Tells a model that writes what to do with a text, in the same words when it learns, is measured and serves."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dragoman.app.turn import Turn
from dragoman.core.doors import LM

__all__ = ["Instruct", "instructed"]

TEXT = "{text}"


def instructed(text: str, instruction: str) -> str:
    """The text with the instruction around it, where it holds {text}, or in front of it."""
    if not instruction:
        return text
    if TEXT in instruction:
        return instruction.replace(TEXT, text)
    return f"{instruction}\n\n{text}"


@dataclass(frozen=True)
class Instruct:
    """Puts the instruction to the question."""

    instruction: str = ""
    "What the model is told; {text} stands for the question."

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn with its question instructed, and which instruction it was in the trace; without one, or where a
        tool speaks, unchanged."""
        return [self._told(turn) if self.instruction and turn.role == "user" else turn for turn in turns]

    def _told(self, turn: Turn) -> Turn:
        version = hashlib.sha256(self.instruction.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        question = instructed(turn.question, self.instruction)
        return replace(turn, question=question, trace=(*turn.trace, f"instruct@{version}"))
