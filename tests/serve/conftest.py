"""A fake assistant, and a real server on a loopback port around it."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from dragoman.app.turn import Turn
from dragoman.core.types import Answer
from dragoman.serve.api import build
from dragoman.serve.keys import hash_key
from dragoman.serve.limits import Limits
from dragoman.serve.run import listen, make_server, run_server

LABELS = ("short", "long")


@dataclass
class Fake:
    """Answers by length; can be made slow, held back, or to fail on a word. Notes the size of every batch."""

    seconds: float = 0.0
    batches: list[int] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.go.set()

    def answer(self, questions: Sequence[str]) -> list[Turn]:
        """One turn a text, after waiting for `go`."""
        self.batches.append(len(questions))
        self.seen += questions
        self.go.wait(20)
        time.sleep(self.seconds)
        if any("poison" in text for text in questions):
            raise ValueError(f"cannot read {questions}")
        return [Turn(text, answer=answer(text)) for text in questions]


def answer(text: str) -> Answer:
    """What the fake says about a text, whatever its company."""
    long = min(len(text), 99) / 100
    best = "long" if long >= 0.5 else "short"
    return Answer(best, (best,), {"long": long, "short": 1 - long})


@dataclass
class Running:
    """A server that runs in a thread."""

    url: str
    port: int
    fake: Fake
    server: uvicorn.Server
    app: FastAPI
    thread: threading.Thread

    def classify(self, *texts: str, headers: dict[str, str] | None = None, timeout: float = 20) -> httpx.Response:
        """Post texts."""
        return httpx.post(
            f"{self.url}/v1/classify", json={"inputs": list(texts)}, headers=headers, timeout=timeout, trust_env=False
        )

    def get(self, path: str) -> httpx.Response:
        """Get a path."""
        return httpx.get(self.url + path, trust_env=False)

    def raw(self, data: bytes, seconds: float = 5) -> bytes:
        """Everything the server says to some bytes, until it closes or `seconds` are over."""
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            client.settimeout(seconds)
            client.sendall(data)
            said = b""
            with contextlib.suppress(TimeoutError, ConnectionError):
                while part := client.recv(65536):
                    said += part
            return said

    def wait(self, holds: Callable[[], bool], seconds: float = 5) -> None:
        """Wait until something holds, or fail."""
        until = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < until, "it never came to be"
            time.sleep(0.01)

    def stop(self) -> None:
        """Ask for a stop and wait for it."""
        self.server.should_exit = True
        self.thread.join(20)
        assert not self.thread.is_alive()


Start = Callable[..., Running]


@pytest.fixture
def fake() -> Fake:
    """A quick fake."""
    return Fake()


def launch(fake: Fake, limits: Limits | None = None, key_hashes: Sequence[str] = ()) -> Running:
    """A server around a fake, on a port of its own."""
    bounds = limits or Limits()
    app = build(fake, run="judge-1a2b", labels=LABELS, limits=bounds, key_hashes=key_hashes, model="area")
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = make_server(app, bounds)
    thread = threading.Thread(target=lambda: asyncio.run(run_server(server, app, listener, bounds)), daemon=True)
    thread.start()
    one = Running(f"http://127.0.0.1:{port}", port, fake, server, app, thread)
    one.wait(lambda: server.started)
    return one


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts servers, and stops them at the end of the test."""
    running: list[Running] = []

    def go(fake: Fake, limits: Limits | None = None, key_hashes: Sequence[str] = ()) -> Running:
        running.append(launch(fake, limits, key_hashes))
        return running[-1]

    yield go
    for one in running:
        one.stop()


@pytest.fixture(scope="module")
def standing() -> Iterator[Running]:
    """A server for the tests of one file that only ask and change nothing."""
    running = launch(Fake())
    yield running
    running.stop()


@pytest.fixture(scope="module")
def keyed() -> Iterator[Running]:
    """The same, opened by the key `dk-right` alone."""
    running = launch(Fake(), key_hashes=[hash_key(b"other"), hash_key(b"dk-right")])
    yield running
    running.stop()
