"""Connections that hold a place and give nothing are closed: endless headers, unwanted bodies, answers nobody reads.

The HTTP server underneath has a time-out between two requests and none inside one. This looks at its open connections
twice a second. Covered: slow or silent headers, a refused body that goes on, a reader that has stopped. A slow body of
a request that may come in is bounded where it is read.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import uvicorn

from dragoman.serve.limits import Limits
from dragoman.serve.scheduler import Scheduler
from dragoman.serve.worker import Worker

__all__ = ["Watch"]

TICK = 0.5
LINGER = 2.0  # seconds a refused body may go on: long enough for the client to read why


class Watch:
    """Looks after the connections of one server, and tells what answers when the server is asked to stop."""

    def __init__(self, server: uvicorn.Server, owners: Sequence[Worker | Scheduler], limits: Limits) -> None:
        self.server = server
        self.owners = tuple(owners)
        self.limits = limits
        self._since: WeakKeyDictionary[Any, tuple[object, float]] = WeakKeyDictionary()

    async def look(self) -> None:
        """Go on until cancelled."""
        stop_at = 0.0
        while True:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            for connection in list(self.server.server_state.connections):
                self.check(connection, now)
            if self.server.should_exit:
                for one in self.owners:
                    one.draining = True
                stop_at = stop_at or now + self.limits.drain_seconds
                if now > stop_at:
                    for one in self.owners:
                        one.stop()
                    stop_at = math.inf

    def check(self, connection: Any, now: float) -> None:
        """Close a connection that has been in one idle state for longer than that state may last."""
        state, most = self.state(connection)
        known, since = self._since.get(connection, (None, now))
        if known != state:
            known, since = state, now
        self._since[connection] = (known, since)
        if most and now - since > most:
            connection.transport.abort()

    def state(self, connection: Any) -> tuple[object, float]:
        """What a connection waits for, and how many seconds it may; 0 while it is the server's turn."""
        unread = connection.transport.get_write_buffer_size()
        cycle = connection.cycle
        if unread:
            return ("unread", unread), self.limits.write_seconds
        if cycle is None or (cycle.response_complete and not cycle.more_body):
            return ("headers", id(cycle)), self.limits.header_seconds
        if cycle.response_complete:
            return ("refused body", id(cycle)), LINGER
        return ("working", id(cycle)), 0.0
