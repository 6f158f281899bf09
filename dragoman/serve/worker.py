"""The one thread that owns an assistant: it batches what waits, takes turns, and lets no request spoil another.

A request is accepted only while fewer than `queue` are unanswered; that is decided before any text is looked at. A
large request is read in pieces, between which the others get their turn (round robin), so that nobody waits behind it.
"""

import asyncio
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dragoman.core.doors import Prompt
from dragoman.core.errors import UserError
from dragoman.serve.limits import Limits
from dragoman.serve.meters import Meters
from dragoman.serve.refused import Gone, Refused
from dragoman.serve.turns import GIVEN_UP

__all__ = ["Answering", "Job", "Worker", "complain"]

LONGEST_WAIT = 60


class Answering(Protocol):
    """What answers questions: an assistant gives a turn for each."""

    def answer(self, questions: Sequence[str | Prompt]) -> Sequence[Any]:
        """One answer a question, in the order given."""
        ...


@dataclass(eq=False)
class Job:
    """One accepted request: its texts or dialogues, how many were taken, and the promise of its answers."""

    texts: Sequence[str | Prompt]
    promise: asyncio.Future[list[Any]]
    deadline: float
    taken: int = 0
    answers: list[Any] = field(default_factory=list)

    def settle(self, failure: Refused | None = None) -> None:
        """Keep the promise, from whatever thread, unless nobody waits any more."""

        def keep() -> None:
            if not self.promise.done():
                if failure is None:
                    self.promise.set_result(self.answers)
                else:
                    self.promise.set_exception(failure)

        loop = self.promise.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(keep)


Piece = tuple[Job, Sequence[str | Prompt]]


class Worker:
    """Answers jobs with an assistant, in one thread of its own."""

    def __init__(self, assistant: Answering, limits: Limits, meters: Meters, name: str = "") -> None:
        """`name` tells the gauges of several assistants in one server apart."""
        self.assistant = assistant
        self.limits = limits
        self.meters = meters
        self.draining = False
        self._waiting: deque[Job] = deque()
        self._live: set[Job] = set()
        self._read: set[Job] = set()
        "those whose texts the model is reading now"
        self._given_up = threading.Event()
        "set while all of these were dropped"
        self._change = threading.Condition()
        self._stopped = False
        self._busy_since = 0.0
        self._in_flight = 0
        self._pace = 0.01  # seconds a text, a running mean
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        prefix = f"{name}_" if name else ""
        meters.watch(f"{prefix}queue_depth", "Requests accepted and waiting for the model.", self.depth)
        meters.watch(f"{prefix}in_flight_texts", "Texts the model is reading now.", lambda: self._in_flight)
        meters.watch(f"{prefix}live_requests", "Requests accepted and not yet answered.", lambda: len(self._live))

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End after the batch at hand; whoever still waits is refused with 503."""
        with self._change:
            self._stopped = True
            left = list(self._live)
            self._live.clear()
            self._waiting.clear()
            self._given_up.set()
            self._change.notify()
        for job in left:
            job.settle(Refused(503, "the server is stopping", 1))
        if self._thread.is_alive():
            self._thread.join(timeout=1)  # a model that hangs must not hold the process: the thread is a daemon

    def depth(self) -> int:
        """How many requests wait with texts the model has not taken."""
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether the next request would be refused."""
        return len(self._live) >= self.limits.queue

    @property
    def alive(self) -> bool:
        """Whether the thread lives and the model is not stuck; who is not should be started anew."""
        since = self._busy_since
        stuck = since > 0 and time.monotonic() - since > 2 * self.limits.answer_seconds
        return self._thread.is_alive() and not stuck

    @property
    def ready(self) -> bool:
        """Whether a request would be answered: it is alive, and no stop was asked for."""
        return self.alive and not self.draining and not self._stopped

    def check_room(self) -> None:
        """Raise Refused when nothing can be accepted now: 503 while stopping, 429 when the queue is full."""
        if self.draining or self._stopped:
            raise Refused(503, "the server is stopping", 5)
        if self.full:
            texts = sum(len(job.texts) - job.taken for job in list(self._waiting)) + self._in_flight
            wait = min(LONGEST_WAIT, int(texts * self._pace) + 1)
            raise Refused(429, "too many requests are waiting: try again later", wait)

    def submit(self, texts: Sequence[str | Prompt]) -> Job:
        """Accept a request, or raise Refused. Called from the event loop alone, so check and entry are one step."""
        self.check_room()
        promise: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        job = Job(texts, promise, time.monotonic() + self.limits.answer_seconds)
        with self._change:
            self._live.add(job)
            self._waiting.append(job)
            self._change.notify()
        return job

    def drop(self, job: Job) -> None:
        """Forget a request whose client is gone or whose time is up; its place is free at once."""
        with self._change:
            self._live.discard(job)
            if job in self._waiting:
                self._waiting.remove(job)
            if job in self._read and not self._read & self._live:
                self._given_up.set()

    def _work(self) -> None:
        GIVEN_UP.set(self._given_up)
        while True:
            with self._change:
                while not self._waiting and not self._stopped:
                    self._change.wait()
                if self._stopped:
                    return
                pieces = self._take()
                self._read = {job for job, _ in pieces}
                self._given_up.clear()
            if pieces:
                self._in_flight = sum(len(texts) for _, texts in pieces)
                self._busy_since = time.monotonic()
                self._answer(pieces)
                self._busy_since, self._in_flight = 0.0, 0

    def _take(self) -> list[Piece]:
        """The next batch: a few texts of each waiting request in turn, until the batch is full."""
        room, share, now = self.limits.batch, max(1, self.limits.batch // 4), time.monotonic()
        pieces: list[Piece] = []
        while room and self._waiting:
            job = self._waiting.popleft()
            if job.deadline < now:
                continue  # the waiting request itself says 503 when its time is up
            texts = job.texts[job.taken : job.taken + min(share, room)]
            job.taken += len(texts)
            room -= len(texts)
            pieces.append((job, texts))
            if job.taken < len(job.texts):
                self._waiting.append(job)
        return pieces

    def _answer(self, pieces: list[Piece]) -> None:
        """Answer a batch; when the model fails on it, each request is tried alone, so only the guilty one fails."""
        texts = [text for _, part in pieces for text in part]
        began = time.monotonic()
        try:
            answers = list(self.assistant.answer(texts))
            if len(answers) != len(texts):
                raise RuntimeError("the assistant gave another number of answers than it was asked")
        except Gone:  # all of them were dropped meanwhile
            return
        except Exception as error:
            if len({job for job, _ in pieces}) > 1:
                for piece in pieces:
                    self._answer([piece])
                return
            self._finish(pieces[0][0], self._told(error))
            return
        self._pace += 0.2 * ((time.monotonic() - began) / len(texts) - self._pace)
        self.meters.batches.observe(len(texts))
        self.meters.texts.inc(len(texts))
        for job, part in pieces:
            job.answers += answers[: len(part)]
            answers = answers[len(part) :]
            if len(job.answers) == len(job.texts):
                self._finish(job)

    def _told(self, error: Exception) -> Refused:
        """What is said of a question that could not be answered; a mistake in it is no failure of the model."""
        if isinstance(error, Refused):
            return error
        if isinstance(error, UserError):
            return Refused(400, "this cannot be answered: it is empty, or longer than the model reads")
        self.meters.failures.inc()
        complain(error)
        return Refused(500, "the model failed on this request")

    def _finish(self, job: Job, failure: Refused | None = None) -> None:
        self.drop(job)
        job.settle(failure)


def complain(error: BaseException) -> None:
    """Say on standard error where a bug is, without its message: that may hold what a client sent."""
    places = "".join(traceback.format_tb(error.__traceback__))
    sys.stderr.write(f"dragoman: a request failed with {type(error).__name__}\n{places}")
    sys.stderr.flush()
