"""Tells a model that writes what to do with a text, in the same words when it learns, is measured and serves."""

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
        """Every turn with its question instructed; without an instruction, or where a tool speaks, unchanged."""
        return [
            replace(turn, question=instructed(turn.question, self.instruction)) if turn.role == "user" else turn
            for turn in turns
        ]
