"""All answers of a request as they are put together from their pieces, and what is said where an engine failed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from dragoman.core.engine import Piece
from dragoman.core.sampling import Completion, Token
from dragoman.serve.refused import Refused

__all__ = ["Gathered", "check_pieces"]

FORBIDDEN = "forbids it"  # how a problem ends where a constraint gave up on its way


@dataclass
class Gathered:
    """What was written of each of `n` answers."""

    n: int
    said: list[str] = field(init=False)
    tokens: list[list[Token]] = field(init=False)
    "those whose log-probabilities were told"
    counts: list[int] = field(init=False)
    finish: list[str] = field(init=False)
    reused: int = 0
    "tokens of the prompt that were read for an earlier request"

    def __post_init__(self) -> None:
        self.said, self.counts = [""] * self.n, [0] * self.n
        self.tokens, self.finish = [[] for _ in range(self.n)], ["stop"] * self.n

    def take(self, pieces: Sequence[Piece]) -> None:
        """What one step added."""
        for piece in pieces:
            self.said[piece.index] += piece.text
            self.tokens[piece.index] += piece.tokens
            self.counts[piece.index] += piece.count
            self.finish[piece.index] = piece.finish or self.finish[piece.index]
            self.reused += piece.reused

    def completions(self, read: int) -> list[Completion]:
        """Each answer, behind a prompt of so many tokens."""
        told = zip(self.said, self.counts, self.finish, self.tokens, strict=True)
        return [Completion(said, count, finish, read, tuple(tokens)) for said, count, finish, tokens in told]


def check_pieces(pieces: Sequence[Piece]) -> None:
    """Raise Refused where one of them says that the engine failed, with the status of whose mistake it is."""
    broken = next((piece for piece in pieces if piece.finish == "error"), None)
    if broken is None:
        return
    if broken.problem.endswith(FORBIDDEN):
        raise Refused(400, "the shape of the answer is larger than can be kept", param="response_format")
    raise _failure(broken.fault)


def _failure(fault: int) -> Refused:
    """What is said where the engine could not go on, by the status with which an engine behind an address refused.

    Its own words are not told: they may repeat what the client, or another one, sent.
    """
    if fault in (400, 413, 422):
        return Refused(400, "the engine behind this model does not take this request")
    if fault == 429:
        return Refused(503, "the engine behind this model has too much to do", 5)
    return Refused(500, "the model failed on this request")
