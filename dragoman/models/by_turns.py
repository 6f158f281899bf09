"""The engine door over any model that streams: its answers take turns, a piece each, with nothing shared between them.

For what cannot share its steps: encoder-decoders, models of transformers' own, learnt prefixes, the fake one. A request
for several answers or for log-probabilities is written whole at its turn, and the others wait as long.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from dragoman.core.doors import WritingLM
from dragoman.core.engine import Asked, Piece
from dragoman.core.errors import UserError
from dragoman.core.types import Message

__all__ = ["ByTurns"]


@dataclass(eq=False)
class _Request:
    asked: Asked
    stream: Iterator[str] | None = None
    count: int = 0
    said: str = ""


class ByTurns:
    """One model, whose answers take turns."""

    def __init__(self, lm: WritingLM, rows: int = 16) -> None:
        """`rows` answers are begun at once."""
        self._lm = lm
        self.longest, self.chat, self.rows = lm.longest, lm.chat, rows
        self._requests: deque[_Request] = deque()

    def count(self, asked: Asked) -> int:
        """The tokens of the prompt, 0 where the model does not know. Raises UserError as the door says."""
        if asked.adapter:
            raise UserError("this model is served without adapters", "leave the adapter out")
        if asked.raw and self._lm.chat:
            raise UserError("this model is served as a dialogue alone", "ask it as a chat")
        self._lm.check(asked.prompt)
        return len(self._lm.ids(asked.prompt))

    def add(self, asked: Asked) -> None:
        """Take a request on."""
        self._requests.append(_Request(asked))

    def cancel(self, number: int) -> None:
        """Forget a request."""
        for request in [one for one in self._requests if one.asked.number == number]:
            self._requests.remove(request)
            _close(request)

    def step(self) -> list[Piece]:
        """The next piece of the request whose turn it is."""
        if not self._requests:
            return []
        request = self._requests.popleft()
        try:
            return self._whole(request.asked) if _at_once(request.asked) else self._next(request)
        except UserError as error:
            _close(request)
            asked = request.asked
            return [Piece(asked.number, row, finish="error", problem=error.problem) for row in range(asked.how.n)]

    def busy(self) -> int:
        """How many requests are under way."""
        return len(self._requests)

    def healthy(self) -> bool:
        """It runs here: always."""
        return True

    def adapters(self) -> tuple[str, ...]:
        """None."""
        return ()

    def close(self) -> None:
        """Forget all that is under way."""
        while self._requests:
            _close(self._requests.popleft())

    def _next(self, request: _Request) -> list[Piece]:
        asked, read = request.asked, 0
        if request.stream is None:
            request.stream = iter(self._lm.stream(asked.prompt, asked.how))
            read = len(self._lm.ids(asked.prompt))
        text = next(request.stream, None)
        if text is None:
            # A stream does not tell why it ended: one that used its tokens up was cut off. A piece may be
            # several tokens.
            tokens = max(request.count, min(self._tokens(request.said), asked.how.max_tokens))
            finish = "length" if tokens >= asked.how.max_tokens else "stop"
            return [Piece(asked.number, count=tokens - request.count, finish=finish, read=read)]
        request.count += 1
        request.said += text
        self._requests.append(request)
        return [Piece(asked.number, text=text, count=1, read=read)]

    def _tokens(self, said: str) -> int:
        """The tokens of a text without what a template puts around it, 0 where the model does not know."""
        try:
            around = len(self._lm.ids((Message("user", "a"),))) - 1
            return len(self._lm.ids((Message("user", said),))) - around
        except UserError:  # nothing was said
            return 0

    def _whole(self, asked: Asked) -> list[Piece]:
        made = self._lm.generate([asked.prompt], asked.how)
        return [
            Piece(asked.number, row, one.text, one.logprobs, one.tokens, one.finish, read=one.prompt_tokens * (not row))
            for row, one in enumerate(made)
        ]


def _at_once(asked: Asked) -> bool:
    how = asked.how
    return how.n > 1 or how.beams > 1 or bool(how.logprobs)


def _close(request: _Request) -> None:
    close = getattr(request.stream, "close", None)
    if close is not None:
        close()
