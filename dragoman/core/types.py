"""The values that flow through every room: plain, frozen, without behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Answer", "Completion", "Estimate", "Example", "Message", "Sampling"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation: who speaks (`system`, `user`, `assistant`) and what is said."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a data set; a training set and a test set are one file format.

    Classification: the answer is the label, and several answers are several labels that hold at once.
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
    each."""

    text: str
    labels: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Completion:
    """What a language model wrote for one prompt, how many tokens that took and why it stopped (`stop` or `length`)."""

    text: str
    tokens: int = 0
    finish: str = "stop"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a language model draws its next token; the defaults are greedy."""

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    max_tokens: int = 256
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured figure with its 95 % interval and the number of rows (or requests) it was measured on."""

    value: float
    low: float
    high: float
    n: int
