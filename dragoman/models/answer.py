"""An answer as it grows, whoever runs the model: tokens come in, whole characters go out, a stop text ends it."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from dragoman.core.sampling import Completion, Sampling, Token
from dragoman.nn.decode import Written
from dragoman.nn.stops import Stops
from dragoman.nn.tokenizer import Tokenizer

__all__ = ["Answer", "Writing", "grow"]


class Writing(Protocol):
    """A batch of answers being written, as `nn.decode.Decoding` does it: rows by number."""

    finish: list[str]
    "why each row ended: stop or length"

    def step(self) -> list[Written]:
        """The next token of every row that is not over; [] when all are."""
        ...

    def end(self, row: int) -> None:
        """This row has said enough."""
        ...


class Answer:
    """One answer. `goes_on` tells that it goes on with the prompt's own text, and not that it begins a new one."""

    def __init__(self, tokenizer: Tokenizer, how: Sampling, goes_on: bool) -> None:
        self.stopped = False
        "whether a stop text has come"
        self._tokenizer = tokenizer
        # What a constraint writes is kept to the letter, the space in front of the first word included.
        shaped = bool(how.json_schema or how.regex or how.choices)
        self._characters = tokenizer.characters(inside=shaped or goes_on)
        self._stops = Stops(how.stop)
        self._finish = "length"
        self._said: list[str] = []
        self._told: list[Token] = []
        self._tokens = 0

    def push(self, one: Written) -> str:
        """Add a token; what of it may be shown now."""
        self._tokens += 1
        if self.stopped or one.id in self._tokenizer.eos_ids:
            return ""
        if one.top:
            names = [(self._name(number), chance) for number, chance in one.top]
            self._told.append(Token(self._name(one.id), one.id, one.logprob, tuple(names)))
        return self._add(self._characters.push(one.id))

    def end(self, finish: str) -> str:
        """The answer is over, for the reason given unless a stop text came: what was held back."""
        rest = "" if self.stopped else self._add(self._characters.end())
        if not self.stopped:
            last = self._stops.end()
            self._said.append(last)
            rest += last
        self._finish = "stop" if self.stopped else finish
        return rest

    @property
    def told(self) -> Sequence[Token]:
        """The tokens that were told with what the model thought of them."""
        return self._told

    def completion(self, prompt_tokens: int) -> Completion:
        """What was written."""
        return Completion("".join(self._said), self._tokens, self._finish, prompt_tokens, tuple(self._told))

    def _add(self, text: str) -> str:
        piece, self.stopped = self._stops.push(text)
        self._said.append(piece)
        return piece

    def _name(self, number: int) -> str:
        return self._tokenizer.pieces([number])[0].decode("utf-8", "replace") or self._tokenizer.tokens([number])[0]


def grow(writing: Writing, answers: Sequence[Answer]) -> Iterator[str]:
    """Let answers grow until all are over: answer i takes the tokens of row i. Each piece as it may be shown."""
    while written := writing.step():
        for one in written:
            piece = answers[one.row].push(one)
            if answers[one.row].stopped:
                writing.end(one.row)
            if piece:
                yield piece
    for answer, finish in zip(answers, writing.finish, strict=True):
        if rest := answer.end(finish):
            yield rest
