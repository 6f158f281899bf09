"""The engine door over an engine behind an address: every request streams in a thread of its own."""

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import Any

from dragoman.core.engine import Asked, Piece
from dragoman.core.errors import UserError, empty_prompt
from dragoman.models.protocol import Speech, objects, text_of, tokens_of, whole
from dragoman.models.remote import RemoteLM
from dragoman.models.remote_health import Health
from dragoman.models.wire import Cancelled, Refused, Wire

__all__ = ["RemoteEngine"]

ROWS = (
    64  # requests under way at once; what the engine behind cannot do at once waits there, or gets 429 and waits here
)
PAUSE = 0.01  # seconds that a step waits for something to come: who calls it takes new requests on between two steps


@dataclass(eq=False)
class _Request:
    """One request under way."""

    asked: Asked
    given_up: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class _News:
    """What came of a request."""

    request: _Request
    pieces: list[Piece]
    over: bool = False


class RemoteEngine:
    """A model behind an address that writes up to `rows` answers at once. It may forget them: nothing is asked twice.

    Tries are repeated, as `Wire` says, until the engine has begun to answer and never afterwards. While it is known not
    to answer, each request is over at once with an error. Its adapters are the other models that it lists.
    """

    def __init__(self, lm: RemoteLM, rows: int = 0, failing: float = 3.0) -> None:
        """`failing`: the seconds between two looks at an engine that does not answer. The first look begins now."""
        self.longest, self.chat = lm.longest, lm.chat
        self.rows = rows or ROWS
        self._speech, self._wire = lm.speech, lm.wire
        self.health = Health(lm.wire.beside(), lm.model, failing)
        self._requests: dict[int, _Request] = {}
        self._asked: SimpleQueue[_Request | None] = SimpleQueue()
        self._news: SimpleQueue[_News] = SimpleQueue()
        self._lines: list[_Line] = []
        self.health.start()

    def healthy(self) -> bool:
        """Whether a request would be answered, as far as is known."""
        return self.health.good

    def count(self, asked: Asked) -> int:
        """0: only the engine counts tokens. Raises UserError as the door says."""
        if not text_of(asked.prompt):
            raise empty_prompt()
        if asked.adapter and asked.adapter not in self.adapters():
            self.health.look_soon()
            there = ", ".join(self.adapters()) or "none"
            raise UserError("the engine lists no model of that name", f"those that it lists: {there}")
        _speaking(self._speech, asked).body(asked.prompt, asked.how)
        return 0

    def add(self, asked: Asked) -> None:
        """Take a request on."""
        request = self._requests[asked.number] = _Request(asked)
        self._asked.put(request)
        if len(self._lines) < min(self.rows, len(self._requests)):
            self._lines.append(_Line(self._wire.beside(), self._speech, self.health, self._asked, self._news))

    def cancel(self, number: int) -> None:
        """Forget a request and close its connection, which is how the engine behind learns that nobody waits."""
        request = self._requests.pop(number, None)
        if request is not None:
            request.given_up.set()
            for line in self._lines:
                line.give_up(request)

    def step(self) -> list[Piece]:
        """What came since the last step; where nothing did, a hundredth of a second is waited for it."""
        pieces: list[Piece] = []
        try:
            news = self._news.get(timeout=PAUSE)
            while True:
                pieces += self._taken(news)
                news = self._news.get_nowait()
        except Empty:
            return pieces

    def busy(self) -> int:
        """How many requests are under way."""
        return len(self._requests)

    def adapters(self) -> tuple[str, ...]:
        """The other models that the engine listed when it was last looked at."""
        return self.health.models

    def close(self) -> None:
        """Give up all that is under way, and close all connections."""
        self.health.stop()
        for number in tuple(self._requests):
            self.cancel(number)
        for _ in self._lines:
            self._asked.put(None)
        for line in self._lines:
            line.end()
        self._lines = []

    def _taken(self, news: _News) -> list[Piece]:
        number = news.request.asked.number
        if self._requests.get(number) is not news.request:  # it was given up meanwhile
            return []
        if news.over:
            del self._requests[number]
        return news.pieces


class _Line:
    """A thread with a connection of its own, which takes one request after another."""

    def __init__(
        self,
        wire: Wire,
        speech: Speech,
        health: Health,
        asked: "SimpleQueue[_Request | None]",
        news: SimpleQueue[_News],
    ) -> None:
        self._wire, self._speech, self._health = wire, speech, health
        self._asked, self._news = asked, news
        self._lock = threading.Lock()
        self._at: _Request | None = None
        self._tells_usage = True
        self._thread = threading.Thread(target=self._work, name="engine line", daemon=True)
        self._thread.start()

    def give_up(self, request: _Request) -> None:
        """Close the connection where this request is the one at hand."""
        with self._lock:
            if self._at is request:
                self._wire.cancel()

    def end(self) -> None:
        """Wait until the thread is gone, and close the connection."""
        self._thread.join(timeout=1)
        self._wire.cancel()

    def _work(self) -> None:
        while (request := self._asked.get()) is not None:
            with self._lock:
                self._at = request
            reading = _Reading(request.asked, _speaking(self._speech, request.asked))
            problem, fault = "", 0
            try:
                self._read(request, reading)
            except Cancelled:
                problem = "the request was given up"
            except UserError as error:
                problem, fault = error.problem, _fault(error)
                if not 400 <= fault < 500:  # else it is well, and only this request is not
                    self._health.look_soon()
            except Exception as error:  # whatever an engine sends, the thread lives on
                problem = f"the answer of {self._speech.url} cannot be read ({type(error).__name__})"
            with self._lock:
                self._at = None
            self._news.put(_News(request, reading.end(problem, fault), over=True))

    def _read(self, request: _Request, reading: "_Reading") -> None:
        if not self._health.good:
            raise UserError(self._health.problem, "see that the engine runs")
        body = reading.speech.body(request.asked.prompt, request.asked.how) | {"stream": True}
        try:
            for event in self._events(request, reading.speech.path, body):
                if pieces := reading.push(event):
                    self._news.put(_News(request, pieces))
        except Refused as refused:
            raise reading.speech.mistake(refused, body) from refused

    def _events(self, request: _Request, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The events of an answer, with the tokens that it took where the engine tells them."""
        wanted = {"stream_options": {"include_usage": True}} if self._tells_usage else {}
        try:
            with closing(self._wire.events(path, body | wanted, request.given_up)) as events:
                yield from events
            return
        except Refused as refused:
            if not wanted or "stream_options" not in f"{refused.field} {refused.said}":
                raise
        self._tells_usage = False  # an older engine, which takes no word that it does not know
        with closing(self._wire.events(path, body, request.given_up)) as events:
            yield from events


class _Reading:
    """What of a request's answers has come, and the pieces that it makes.

    Why an answer ended is told when all of the stream has come, for the tokens that it took are told last.
    """

    def __init__(self, asked: Asked, speech: Speech) -> None:
        n = asked.how.n
        self.speech = speech
        self._asked = asked
        self._said, self._held, self._finish = [""] * n, [""] * n, [""] * n
        self._told = [0] * n
        self._count = 0
        self._spent: dict[str, Any] = {}

    def push(self, event: dict[str, Any]) -> list[Piece]:
        """What an event adds."""
        if isinstance(event.get("usage"), dict):
            self._spent = event["usage"]
        if "done" in event:
            self._finish = [finish or "stop" for finish in self._finish]
        pieces = []
        for choice in objects(event.get("choices")):
            index = choice.get("index", 0)
            if not isinstance(index, int) or not 0 <= index < len(self._said):
                continue
            text, self._held[index] = whole(self._held[index] + self.speech.said(choice, "delta"))
            told = tokens_of(choice.get("logprobs")) if self._asked.how.logprobs else ()
            self._finish[index] = self._finish[index] or _reason(choice.get("finish_reason"))
            if text or told:
                count = len(told) or 1  # an engine that tells no tokens sends one at a time
                self._said[index] += text
                self._told[index] += len(told)
                self._count += count
                pieces.append(Piece(self._asked.number, index, text, told, count))
        return pieces

    def end(self, problem: str, fault: int = 0) -> list[Piece]:
        """The last piece of every answer. `problem` is what ended the stream before its end, `fault` its status."""
        pieces = [self._last(index, problem, fault) for index in range(len(self._said))]
        read = _number(self._spent.get("prompt_tokens"))
        details = self._spent.get("prompt_tokens_details")
        reused = _number(details.get("cached_tokens")) if isinstance(details, dict) else 0
        rest = max(0, _number(self._spent.get("completion_tokens")) - self._count)  # of pieces with several tokens
        pieces[0] = replace(pieces[0], count=rest, read=read, reused=reused)
        return pieces

    def _last(self, index: int, problem: str, fault: int) -> Piece:
        text, finish = self._said[index], self._finish[index]
        url, how = self.speech.url, self._asked.how
        if not finish:
            problem = problem or f"{url} cut the connection after {len(text)} characters of its answer"
            return Piece(self._asked.number, index, finish="error", problem=problem, fault=fault)
        if how.logprobs and text and not self._told[index]:
            problem = f"{url} took logprobs and told none"
            return Piece(self._asked.number, index, finish="error", problem=problem)
        try:
            self.speech.hold(text, finish, how)
        except UserError as error:
            return Piece(self._asked.number, index, finish="error", problem=error.problem)
        return Piece(self._asked.number, index, "\ufffd" if self._held[index] else "", finish=finish)


def _speaking(speech: Speech, asked: Asked) -> Speech:
    """How an engine is spoken to for one request."""
    return replace(speech, raw=speech.raw or asked.raw, model=asked.adapter or speech.model)


def _fault(error: UserError) -> int:
    """The status with which the engine refused; 0 where it gave none."""
    return error.__cause__.status if isinstance(error.__cause__, Refused) else 0


def _reason(told: Any) -> str:
    """Why an answer ended, in our two words: engines have a dozen for a model that said all it wanted to."""
    return "" if not told else "length" if told in ("length", "max_tokens") else "stop"


def _number(told: Any) -> int:
    return told if isinstance(told, int) and told > 0 else 0
