"""The one thread that owns an engine: it lets requests in by turns, hands out what they get, and forgets who left.

A request is accepted only while fewer than `queue` wait; that is decided before anything of it is read. Whose turn it
is goes round between the keys, so that one client with a thousand requests costs another one at most one turn.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence

from dragoman.core.doors import Engine
from dragoman.core.engine import Asked, Piece
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.serve.limits import Limits
from dragoman.serve.meters import Meters
from dragoman.serve.refused import Gone, Refused
from dragoman.serve.turns import Box, Mail, Place, Turns
from dragoman.serve.worker import complain

__all__ = ["Scheduler", "Ticket"]

LONGEST_WAIT = 60
FAILURES = 3  # steps in a row that may fail before the server says that it is not ready


class Ticket:
    """An accepted request, for who waits for it: the pieces of one step at a time, until its last answer is over.

    Iterating raises Refused where the server stops, the engine fails, or time is up, and Gone behind `hang_up`.
    """

    def __init__(self, scheduler: "Scheduler", place: Place, prompt_tokens: int) -> None:
        self.prompt_tokens = prompt_tokens
        "how many tokens the prompt has; 0 where the engine alone knows, and it has not said so yet"
        self._scheduler = scheduler
        self._place = place

    @property
    def answers(self) -> int:
        """How many answers were asked for."""
        return self._place.asked.how.n

    def cancel(self) -> None:
        """Nobody waits any more: it is forgotten before the engine's next step but one."""
        self._scheduler.cancel(self._place)

    def hang_up(self) -> None:
        """The client is gone: whoever iterates is told so. For the event loop alone."""
        self.cancel()
        self._place.box.awaited.put_nowait(Gone())

    async def __aiter__(self) -> AsyncIterator[list[Piece]]:
        box, left = self._place.box, self._place.asked.how.n
        while left:
            pieces = list(self._opened(await box.awaited.get()))
            while not box.awaited.empty():  # a loop that is late sends several steps at once
                pieces += self._opened(box.awaited.get_nowait())
            box.taken += sum(len(piece.text) for piece in pieces)
            left -= sum(bool(piece.finish) for piece in pieces)
            yield pieces

    def __iter__(self) -> Iterator[list[Piece]]:
        """The same for a thread without an event loop; Gone where `GIVEN_UP` says so."""
        left = self._place.asked.how.n
        while left:
            pieces = self._opened(self._place.box.fetch())
            left -= sum(bool(piece.finish) for piece in pieces)
            yield pieces

    def _opened(self, found: Mail) -> list[Piece]:
        if isinstance(found, Refused | Gone):
            raise found
        self.prompt_tokens = max(self.prompt_tokens, *(piece.read for piece in found))
        return found


class Scheduler:
    """Answers requests with an engine, in one thread of its own."""

    def __init__(self, engine: Engine, limits: Limits, meters: Meters, name: str = "") -> None:
        """`name` tells the gauges of several engines in one server apart."""
        self.engine = engine
        self.limits = limits
        self.meters = meters
        self.draining = False
        self._turns = Turns()
        self._under_way: dict[int, Place] = {}
        self._rows = 0
        self._leaving: set[int] = set()
        self._unbegun: set[int] = set()
        "numbers that were counted and will never be added: the engine need not remember them"
        self._entering = 0
        self._numbers = 0
        self._change = threading.Condition()
        self._stopped = False
        self._failures = 0
        self._pace = 0.1  # seconds an answer, a running mean
        self._thread = threading.Thread(target=self._work, name=f"engine {name}".strip(), daemon=True)
        prefix = f"{name}_" if name else ""
        meters.watch(f"{prefix}waiting_requests", "Requests that wait to begin.", lambda: self._turns.count)
        meters.watch(f"{prefix}running_requests", "Requests being answered.", lambda: len(self._under_way))
        meters.watch(f"{prefix}running_answers", "Answers being written at once.", lambda: self._rows)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End behind the step at hand; whoever still waits is refused with 503."""
        with self._change:
            self._stopped = True
            self._change.notify()
        if self._thread.is_alive():
            self._thread.join(timeout=1)  # an engine that hangs must not hold the process: the thread is a daemon
        with self._change:
            left = [*self._under_way.values(), *self._turns.everybody()]
            self._under_way, self._turns = {}, Turns()
        self._send([(place, Refused(503, "the server is stopping", 1)) for place in left])

    @property
    def live(self) -> int:
        """How many requests are accepted and not yet answered."""
        return self._turns.count + len(self._under_way)

    @property
    def full(self) -> bool:
        """Whether the next request would be refused."""
        return self._turns.count + self._entering >= self.limits.queue

    @property
    def alive(self) -> bool:
        """Whether the thread lives and its engine works; who does not should be started anew."""
        return self._thread.is_alive() and self._failures < FAILURES

    @property
    def ready(self) -> bool:
        """Whether a request would be answered: it is alive, and no stop was asked for."""
        return self.alive and not self.draining and not self._stopped and self.engine.healthy()

    def check_room(self) -> None:
        """Raise Refused when nothing can be accepted now: 503 while stopping, 429 when too many wait."""
        if self.draining or self._stopped:
            raise Refused(503, "the server is stopping", 5)
        if not self.engine.healthy():
            raise Refused(503, "the engine behind this model does not answer", 5)
        if self.full:
            wait = min(LONGEST_WAIT, int(self._turns.count * self._pace / max(1, self.engine.rows)) + 1)
            raise Refused(429, "too many requests are waiting: try again later", wait)

    def submit(
        self, prompt: Sequence[Message], how: Sampling, *, adapter: str = "", raw: bool = False, key: str = ""
    ) -> Ticket:
        """Accept a request for the event loop that calls this. Raises Refused, and UserError as `Engine.count`."""
        self.check_room()
        asked = self._asked(prompt, how, adapter, raw)
        tokens = self.engine.count(asked)
        return self._accept(asked, key, Box(asyncio.get_running_loop()), tokens)

    async def enter(
        self, prompt: Sequence[Message], how: Sampling, *, adapter: str = "", raw: bool = False, key: str = ""
    ) -> Ticket:
        """As `submit`, and the loop serves others while a long prompt is turned into tokens. Raises as `submit`."""
        self.check_room()
        asked = self._asked(prompt, how, adapter, raw)
        self._entering += 1  # it has its place in the queue from now on
        try:
            tokens = await asyncio.to_thread(self.engine.count, asked)
        except asyncio.CancelledError:
            self._forget(asked.number)
            raise
        finally:
            self._entering -= 1
        try:
            self.check_room()
        except Refused:
            self._forget(asked.number)
            raise
        return self._accept(asked, key, Box(asyncio.get_running_loop()), tokens)

    def wait_for(self, prompt: Sequence[Message], how: Sampling, *, adapter: str = "", key: str = "") -> Ticket:
        """Accept a request for the thread that calls this, however many wait: what it is a part of was accepted.

        Raises as `submit`.
        """
        if self._stopped:
            raise Refused(503, "the server is stopping", 5)
        if not self.engine.healthy():
            raise Refused(503, "the engine behind this model does not answer", 5)
        asked = self._asked(prompt, how, adapter, False)
        return self._accept(asked, key, Box(), self.engine.count(asked))

    def cancel(self, place: Place) -> None:
        """Forget a request, from any thread; its place is free at once."""
        with self._change:
            if self._turns.remove(place):
                self._unbegun.add(place.asked.number)
            elif place.asked.number in self._under_way:
                self._leaving.add(place.asked.number)
            self._change.notify()

    def _forget(self, number: int) -> None:
        with self._change:
            self._unbegun.add(number)
            self._change.notify()

    def _asked(self, prompt: Sequence[Message], how: Sampling, adapter: str, raw: bool) -> Asked:
        with self._change:
            self._numbers += 1
            return Asked(self._numbers, tuple(prompt), how, adapter, raw)

    def _accept(self, asked: Asked, key: str, box: Box, tokens: int) -> Ticket:
        place = Place(asked, key, time.monotonic() + self.limits.wait_seconds, box)
        with self._change:
            self._turns.push(place)
            self._change.notify()
        return Ticket(self, place, tokens)

    def _work(self) -> None:
        while True:
            with self._change:
                while not (self._turns.count or self._under_way or self._unbegun or self._stopped):
                    self._change.wait()
                if self._stopped:
                    return
                leaving, late = self._leave()
                entering = self._enter()
            self._send([(place, Refused(503, "the request waited too long", 1)) for place in late])
            try:
                for number in leaving:
                    self.engine.cancel(number)
                for place in entering:
                    self._add(place)
                if not self._under_way:
                    continue
                pieces = self.engine.step()
                self._failures = 0
            except Exception as error:  # a bug in the engine: nothing under way can be trusted
                self._fail(error)
                continue
            self._hand_out(pieces)

    def _add(self, place: Place) -> None:
        """Give a request to the engine; one that it cannot take is told so, and costs the others nothing."""
        try:
            self.engine.add(place.asked)
        except Exception as error:
            refused = Refused(500, "the model failed on this request")
            if isinstance(error, UserError):  # what was so when it was counted is so no more
                refused = Refused(400, error.problem)
            else:
                complain(error)
                self.meters.failures.inc()
                self._failures += 1
            with self._change:
                self._let_go(place.asked.number)
            self._send([(place, refused)])
            self.engine.cancel(place.asked.number)

    def _leave(self) -> tuple[list[int], list[Place]]:
        """What the engine is to forget, and who is told that its time is up."""
        now = time.monotonic()
        late = self._turns.late(now)
        for place in late:
            self._turns.remove(place)
        over = [place for place in self._under_way.values() if place.deadline < now]
        leaving = [*self._leaving, *(place.asked.number for place in over)]
        unbegun = [*self._unbegun, *(place.asked.number for place in late)]
        self._leaving.clear()
        self._unbegun.clear()
        return [*unbegun, *(number for number in leaving if self._let_go(number))], [*late, *over]

    def _enter(self) -> list[Place]:
        """Who begins now: as many as the engine writes at once, and at least one."""
        entering: list[Place] = []
        while place := self._turns.pop(lambda one: not self._rows or self._rows + one.left <= self.engine.rows):
            place.deadline = time.monotonic() + self.limits.whole_seconds
            self._under_way[place.asked.number] = place
            self._rows += place.asked.how.n
            entering.append(place)
        return entering

    def _let_go(self, number: int) -> bool:
        place = self._under_way.pop(number, None)
        self._rows -= place.asked.how.n if place is not None else 0
        return place is not None

    def _hand_out(self, pieces: Sequence[Piece]) -> None:
        now = time.monotonic()
        if written := sum(piece.count > 0 for piece in pieces):
            self.meters.batch.observe(written)
        found: dict[int, list[Piece]] = {}
        for piece in pieces:
            found.setdefault(piece.number, []).append(piece)
        mail: list[tuple[Place, Mail]] = []
        with self._change:
            for number, some in found.items():
                place = self._under_way.get(number)
                if place is None or number in self._leaving:
                    continue
                self._measure(place, some, now)
                place.box.put += sum(len(piece.text) for piece in some)
                if place.box.loop and place.box.put - place.box.taken > self.limits.stream_characters:
                    self._leaving.add(number)
                    mail.append((place, Refused(408, "the answer was not read in time")))
                    continue
                mail.append((place, some))
                place.left -= sum(bool(piece.finish) for piece in some)
                if place.left <= 0:
                    self._let_go(number)
                    self._pace += 0.2 * (now - place.came - self._pace)
        self._send(mail)

    def _measure(self, place: Place, pieces: Sequence[Piece], now: float) -> None:
        written = sum(piece.count for piece in pieces)
        self.meters.read.inc(sum(piece.read for piece in pieces))
        self.meters.reused.inc(sum(piece.reused for piece in pieces))
        self.meters.written.inc(written)
        if written and place.last:
            self.meters.between.observe(now - place.last)
        elif written:
            self.meters.first.observe(now - place.came)
        place.last = now if written else place.last

    def _fail(self, error: Exception) -> None:
        complain(error)
        self.meters.failures.inc()
        with self._change:
            self._failures += 1
            hit = list(self._under_way.values())
            self._under_way, self._rows = {}, 0
        self._send([(place, Refused(500, "the model failed on this request")) for place in hit])
        for place in hit:
            self.engine.cancel(place.asked.number)

    def _send(self, mail: Sequence[tuple[Place, Mail]]) -> None:
        """Put each into its box: one call a loop, however many requests it waits for."""
        loops: dict[asyncio.AbstractEventLoop, list[tuple[Box, Mail]]] = {}
        for place, found in mail:
            if place.box.loop is None:
                place.box.fetched.put(found)
            else:
                loops.setdefault(place.box.loop, []).append((place.box, found))
        for loop, some in loops.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_deliver, some)


def _deliver(mail: Sequence[tuple[Box, Mail]]) -> None:
    for box, found in mail:
        box.awaited.put_nowait(found)
