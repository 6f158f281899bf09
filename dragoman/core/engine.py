"""What is asked of an engine that writes many answers at once, and what comes back piece by piece: values."""

from collections.abc import Sequence
from dataclasses import dataclass

from dragoman.core.sampling import Sampling, Token
from dragoman.core.types import Message

__all__ = ["Asked", "Piece"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to an engine."""

    number: int
    "what its pieces are told apart by; no two requests under way have the same"
    prompt: Sequence[Message]
    how: Sampling
    adapter: str = ""
    "which adapter over the engine's model answers; empty is the model itself"
    raw: bool = False
    "whether the text of the prompt is gone on from, without a chat template"


@dataclass(frozen=True, slots=True)
class Piece:
    """What one step added to one answer of a request; the last one of an answer says why it ended."""

    number: int
    index: int = 0
    "which of the request's answers"
    text: str = ""
    "what may be shown now, in whole characters; what may be the start of a stop text waits"
    tokens: tuple[Token, ...] = ()
    "the tokens behind `text`, where log-probabilities were asked for"
    count: int = 0
    "tokens that were written"
    finish: str = ""
    "stop or length on the last piece of an answer, `error` where the engine failed on it; else empty"
    problem: str = ""
    "what went wrong, where `finish` is `error`"
    fault: int = 0
    "the HTTP status with which an engine behind an address refused, where `finish` is `error` and it did; else 0"
    read: int = 0
    "tokens of the prompt, on the first piece of a request"
    reused: int = 0
    "how many of them were read for an earlier request and not again, on the first piece"
