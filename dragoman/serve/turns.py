"""Who waits for an engine and whose turn it is: round between the keys, in order within one."""

import asyncio
import queue
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from dragoman.core.engine import Asked, Piece
from dragoman.serve.refused import Gone, Refused

__all__ = ["GIVEN_UP", "Box", "Mail", "Place", "Turns"]

LOOK = 0.1  # seconds between two looks at whether anybody still waits

GIVEN_UP: ContextVar[threading.Event | None] = ContextVar("given_up", default=None)
"""Set in a thread that works for others: the event says that none of them waits for what it does now."""

Mail = list[Piece] | Refused | Gone
"""What comes for a request: the pieces of one step, or why there is no answer."""


@dataclass(eq=False)
class Box:
    """Where the mail of a request is put: into a loop's queue, or without a loop into another thread's."""

    loop: asyncio.AbstractEventLoop | None = None
    awaited: "asyncio.Queue[Mail]" = field(default_factory=asyncio.Queue)
    fetched: "queue.SimpleQueue[Mail]" = field(default_factory=queue.SimpleQueue)
    put: int = 0
    "characters that were put in, counted by the engine's thread alone"
    taken: int = 0
    "characters that were taken out, counted by the loop alone"

    def fetch(self) -> Mail:
        """The next mail for a thread, or Gone where its work is for nobody any more."""
        given_up = GIVEN_UP.get()
        if given_up is None:
            return self.fetched.get()
        while not given_up.is_set():
            try:
                return self.fetched.get(timeout=LOOK)
            except queue.Empty:
                continue
        return Gone()


@dataclass(eq=False)
class Place:
    """One accepted request: what it asks, whose it is, and how far it has come. Times are those of `time.monotonic`."""

    asked: Asked
    key: str
    deadline: float
    box: Box
    came: float = field(default_factory=time.monotonic)
    last: float = 0.0
    "when the last token came; 0 before the first"
    left: int = 0
    "how many of its answers are not over"

    def __post_init__(self) -> None:
        self.left = self.asked.how.n


@dataclass
class Turns:
    """Requests that wait, by key."""

    count: int = 0
    _by_key: "OrderedDict[str, deque[Place]]" = field(default_factory=OrderedDict)

    def push(self, place: Place) -> None:
        """Wait behind the others of the same key."""
        self._by_key.setdefault(place.key, deque()).append(place)
        self.count += 1

    def pop(self, fits: Callable[[Place], bool]) -> Place | None:
        """The one whose turn it is, where it fits; its key then goes behind the others. Nobody overtakes it."""
        if not self._by_key:
            return None
        key, waiting = next(iter(self._by_key.items()))
        if not fits(waiting[0]):
            return None
        place = waiting[0]
        self.remove(place)
        if waiting:
            self._by_key.move_to_end(key)
        return place

    def remove(self, place: Place) -> bool:
        """Wait no longer; whether it did."""
        waiting = self._by_key.get(place.key)
        if waiting is None or place not in waiting:
            return False
        waiting.remove(place)
        self.count -= 1
        if not waiting:
            del self._by_key[place.key]
        return True

    def late(self, now: float) -> list[Place]:
        """Those whose time is up."""
        return [place for waiting in self._by_key.values() for place in waiting if place.deadline < now]

    def everybody(self) -> list[Place]:
        """All that wait."""
        return [place for waiting in self._by_key.values() for place in waiting]
