"""A fake assistant, and a real server on a loopback port around it."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from dragoman.app.turn import Turn
from dragoman.core.types import Answer
from dragoman.serve.api import build
from dragoman.serve.budgets import Budgets
from dragoman.serve.context import Context
from dragoman.serve.keys import Keyring, hash_key
from dragoman.serve.limits import Limits
from dragoman.serve.meters import Meters
from dragoman.serve.run import listen, make_server, run_server
from dragoman.serve.served import Catalogue, Lineage, Served
from dragoman.serve.worker import Worker

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

    @property
    def worker(self) -> Worker:
        """What reads the texts."""
        found = self.app.state.context.catalogue.first.worker
        assert isinstance(found, Worker)
        return found

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


def context_of(fake: Fake, limits: Limits | None = None, keys: Path | None = None) -> Context:
    """A server around a fake."""
    bounds, meters = limits or Limits(), Meters("judge-1a2b")
    lineage = Lineage(run="judge-1a2b", base="area")
    worker = Worker(fake, bounds, meters)
    served = Served("area", "classify", lineage, worker=worker, labels=LABELS)
    ring = Keyring(str(keys)) if keys else None
    return Context(Catalogue([served]), bounds, meters, keyring=ring, budgets=Budgets() if ring else None)


def launched(context: Context, fake: Fake | None = None) -> Running:
    """It listens on a port of its own."""
    app = build(context)
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = make_server(app, context.limits)
    thread = threading.Thread(
        target=lambda: asyncio.run(run_server(server, app, listener, context.limits)), daemon=True
    )
    thread.start()
    one = Running(f"http://127.0.0.1:{port}", port, fake or Fake(), server, app, thread)
    one.wait(lambda: server.started)
    return one


def launch(fake: Fake, limits: Limits | None = None, keys: Path | None = None) -> Running:
    """A server around a fake, on a port of its own."""
    return launched(context_of(fake, limits, keys), fake)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts servers, and stops them at the end of the test."""
    running: list[Running] = []

    def go(fake: Fake, limits: Limits | None = None, keys: Path | None = None) -> Running:
        running.append(launch(fake, limits, keys))
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
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The same, opened by the key `dk-right` alone."""
    file = tmp_path_factory.mktemp("keys") / "keys.txt"
    file.touch(0o600)
    file.write_text(f"{hash_key(b'other')}\n{hash_key(b'dk-right')} name=right\n")
    running = launch(Fake(), keys=file)
    yield running
    running.stop()
