"""Where the server listens, what a person is told, and how it stops."""

import concurrent.futures
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from dragoman.core.errors import Busy, UserError
from dragoman.serve.journal import Journal, Policy
from dragoman.serve.keys import make_key
from dragoman.serve.limits import Limits
from dragoman.serve.run import is_loopback, listen, serve, welcome
from tests.serve.conftest import Fake, context_of

PROGRAM = """
import sys
from dragoman.core.errors import Stopped
from dragoman.serve.run import serve
from tests.serve.conftest import Fake, context_of
try:
    serve(context_of(Fake(seconds=0.5)), port=0, page=False)
except Stopped as stopped:
    print(stopped.signal, stopped)
"""


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("", False),
        ("example.org", False),
    ],
)
def test_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_small_answers_are_sent_at_once() -> None:
    """asyncio turns Nagle's delay (40 ms an answer) off only on sockets that say they are TCP."""
    with listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.1", "example.org"])
def test_no_key_no_open_address(fake: Fake, host: str) -> None:
    with pytest.raises(UserError) as error:
        serve(context_of(fake), host=host, port=0)
    assert "dragoman serve --new-key" in error.value.hint


def test_a_taken_port_is_told(fake: Fake) -> None:
    with listen("127.0.0.1", 0) as held:
        port = held.getsockname()[1]
        with pytest.raises(Busy) as error:
            serve(context_of(fake), port=port)
    assert f"port {port}" in error.value.problem
    assert f"port={port + 1}" in error.value.hint


@pytest.mark.parametrize(
    ("host", "port"), [("192.0.2.1", 0), ("127.0.0.1", 70_000), ("127.0.0.1", -1), ("1.2.3.4.5", 0)]
)
def test_an_address_that_is_none(host: str, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if host == "1.2.3.4.5":  # a name nobody knows, without asking anybody

        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UserError):
        listen(host, port)


def test_what_a_person_is_told(fake: Fake, tmp_path: Path) -> None:
    keeping = context_of(fake)
    keeping.journal = Journal(tmp_path / "journal.sqlite", Policy())
    assert f"kept in {tmp_path / 'journal.sqlite'}" in welcome("http://127.0.0.1:1", keeping, page=False)
    keeping.journal = Journal(tmp_path / "journal.sqlite", Policy(on=False))
    assert "kept in" not in welcome("http://127.0.0.1:1", keeping, page=False)
    said = welcome("http://127.0.0.1:1", context_of(fake), page=True)
    assert "Authorization" not in said
    assert "http://127.0.0.1:1/\n" in said
    make_key(tmp_path / "keys.txt")
    said = welcome("http://127.0.0.1:1", context_of(fake, keys=tmp_path / "keys.txt"), page=False)
    assert said.startswith("serving area at http://127.0.0.1:1 ")
    assert "curl -s http://127.0.0.1:1/v1/classify -H 'Authorization: Bearer KEY'" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_ends(root: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", PROGRAM]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(
        command, cwd=root, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[3]
        curl = process.stderr.readline()
        assert url in curl
        pool = concurrent.futures.ThreadPoolExecutor(1)
        ask = pool.submit(httpx.post, f"{url}/v1/classify", json={"input": "a"}, timeout=10, trust_env=False)
        until = time.monotonic() + 10
        while "live_requests 1" not in httpx.get(f"{url}/metrics", trust_env=False).text:
            assert time.monotonic() < until
        process.send_signal(number)
        assert ask.result(10).json()["results"][0]["label"] == "short"
        pool.shutdown()
        said, complaints = process.communicate(timeout=15)
    assert process.returncode == 0
    assert said.startswith(f"{int(number)} the server stopped")
    assert complaints == ""


def test_the_limits_have_words() -> None:
    from dragoman.core.config import describe

    assert all(setting.help for setting in describe(Limits))
