"""One question on its way to an answer, and the step that moves it on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dragoman.app.passages import Citation, Passage
from dragoman.core.doors import LM, Prompt
from dragoman.core.types import Answer, Message

__all__ = ["Step", "Turn"]


@dataclass(frozen=True, slots=True)
class Turn:
    """A question, what was said before it, the answer so far, what it stands on, and which steps it went through."""

    question: str
    messages: tuple[Message, ...] = ()
    answer: Answer = field(default_factory=lambda: Answer(""))
    sources: tuple[str, ...] = ()
    refused: bool = False
    trace: tuple[str, ...] = ()
    role: str = "user"
    "who asks: a user, or a tool whose result is to be answered"
    sought: str = ""
    "what documents were searched for: the question, made to stand alone; empty where none were"
    passages: tuple[Passage, ...] = ()
    "what was found for it, in the order of their numbers"
    citations: tuple[Citation, ...] = ()
    "which of the passages the answer stands on"

    @staticmethod
    def of(prompt: Prompt) -> "Turn":
        """The turn that a prompt opens: its last message is the question. Raises ValueError where nothing is said."""
        *before, last = prompt
        return Turn(last.content, tuple(before), role=last.role)

    @property
    def prompt(self) -> tuple[Message, ...]:
        """What a language model is given: what was said before, then the question as the user's message."""
        return (*self.messages, Message(self.role, self.question))


Step = Callable[[Sequence[Turn], LM], list[Turn]]
"""Moves a batch of turns on, one result a turn in the same order; a batch of one is the server's case."""
