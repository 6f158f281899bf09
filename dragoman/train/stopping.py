"""Ctrl-C and SIGTERM as a wish granted between two steps, with everything saved; a second one ends the process."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

from dragoman.core.errors import Stopped

__all__ = ["Wish", "catching"]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Wish:
    """Whether somebody asked to stop. `signal` is the number of the signal, 0 as long as nobody did."""

    signal: int = 0
    at_once: bool = False

    def note(self, number: int, frame: FrameType | None = None) -> None:
        """Take a signal in: the first is remembered, or raised where nothing is half done; the second ends it all."""
        if self.signal:
            os._exit(128 + number)  # what is published is whole at any instant, so nothing is lost but the last steps
        self.signal = number
        if self.at_once:
            self.grant("")

    def grant(self, message: str) -> None:
        """Raise Stopped with this message if somebody asked to stop."""
        if self.signal:
            raise Stopped(self.signal, message)

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Code in which the first signal is answered at once: it changes nothing that would have to be saved."""
        self.grant("")
        self.at_once = True
        try:
            yield
        finally:
            self.at_once = False


@contextlib.contextmanager
def catching() -> Iterator[Wish]:
    """Take in SIGINT, SIGTERM and SIGHUP as a Wish while the block runs. Outside the main thread nothing is caught."""
    wish = Wish()
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return
    before = {number: signal.signal(number, wish.note) for number in SIGNALS}
    try:
        yield wish
    finally:
        for number, old in before.items():
            signal.signal(number, old)
