"""Tells the model who it is before anything else is said, in words that stand in a file of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from dragoman.app.prompts import PromptFile
from dragoman.app.turn import Turn
from dragoman.core.doors import LM
from dragoman.core.types import Message

__all__ = ["SystemPrompt", "begun"]


def begun(messages: Sequence[Message], told: str) -> tuple[Message, ...]:
    """The messages with what the model is told in front of what the system said already; as they are without it."""
    before = list(messages)
    if not told:
        return tuple(before)
    said = before.pop(0).content if before and before[0].role == "system" else ""
    return (Message("system", f"{told}\n\n{said}" if said else told), *before)


@dataclass(frozen=True)
class SystemPrompt:
    """Puts a prompt in front as the system's message; what the system said already follows it there."""

    prompt: PromptFile | None = None
    "What the model is told; none tells it nothing."

    values: Mapping[str, str] = field(default_factory=dict)
    "What stands in the slots of the prompt."

    @cached_property
    def told(self) -> str:
        """The prompt with its slots filled. Raises UserError where one has no value."""
        return self.prompt.filled(self.values) if self.prompt else ""

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn with the prompt in front, and which version of it in the trace."""
        return [self._begun(turn) for turn in turns]

    def _begun(self, turn: Turn) -> Turn:
        if self.prompt is None:
            return turn
        return replace(turn, messages=begun(turn.messages, self.told), trace=(*turn.trace, self.prompt.mark))
