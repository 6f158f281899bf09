"""The values that flow through every room: plain, frozen, without behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Answer", "Estimate", "Example", "Message"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation: who speaks (`system`, `user`, `assistant`) and what is said."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a data set; a training set and a test set are one file format.

    Classification: the answer is the label, and several answers are several labels that hold at once. Tagging: one tag
    a word. Else the answers are texts that are all right; the first is learnt. Plain text: no prompt, one answer.
    """

    prompt: tuple[Message, ...]
    answers: tuple[str, ...]
    rejected: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What the user says in it: the contents of the user messages, joined by a newline."""
        return "\n".join(message.content for message in self.prompt if message.role == "user")


@dataclass(frozen=True, slots=True)
class Answer:
    """What an assistant answered: the text and, where it chose among labels, the chosen ones and the probability of
    each; where it tagged words, one tag a word."""

    text: str
    labels: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    finish: str = ""
    "why a written text ended: `stop`, `length` where it was cut off, `refused` where the prompt was too long"
    tokens: int = 0
    "tokens that were written"
    read: int = 0
    "tokens of all prompts that the language model read for it; 0 where that is not known"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured figure with its 95 % interval and the number of rows (or requests) it was measured on."""

    value: float
    low: float
    high: float
    n: int
