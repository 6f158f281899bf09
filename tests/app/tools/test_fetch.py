"""Nothing but what was named is asked: 40 ways to this machine, straight, by a redirect and by a second answer of a
name server, against a listener that counts who comes."""

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from dragoman.app.tools import fetch
from dragoman.app.tools.fetch import Fetcher, NotFetched

PUBLIC = "93.184.215.14"
WRAPPED = {
    "loop.test": "127.0.0.1",
    "other-loop.test": "127.9.9.9",
    "six.test": "::1",
    "mapped.test": "::ffff:127.0.0.1",
    "old.test": "::127.0.0.1",
    "nat.test": "64:ff9b::7f00:1",
    "six-to-four.test": "2002:7f00:1::",
    "teredo.test": "2001:0:7f00:1::1",
    "nothing.test": "0.0.0.0",
    "unspecified.test": "::",
    "private.test": "10.0.0.1",
    "link.test": "169.254.169.254",
    "shared.test": "100.64.0.1",
    "many.test": "224.0.0.1",
    "scoped.test": "fe80::1%1",
}
NUMBERS = (
    *("127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "0"),
    *("127.0.0.1.", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]", "[fe80::1%25lo]"),
    "\N{CIRCLED DIGIT ONE}\N{CIRCLED DIGIT TWO}\N{CIRCLED DIGIT SEVEN}.0.0.1",
    "127\N{IDEOGRAPHIC FULL STOP}0\N{IDEOGRAPHIC FULL STOP}0\N{IDEOGRAPHIC FULL STOP}1",
    *("localhost", "LOCALHOST", "localhost."),
)
TRICKS = (
    *("http://127.0.0.1:{port}\\@good.test/", "http://good.test@127.0.0.1:{port}/", "http:\\\\127.0.0.1:{port}/"),
    *("http://127.0.0.1:{port}#@good.test/", "gopher://127.0.0.1:{port}/_GET"),
)


def forms(port: int) -> list[str]:
    """Addresses that somebody reads as this machine."""
    plain = [f"http://{host}:{port}/" for host in (*NUMBERS, *WRAPPED)]
    return [*plain, *(one.replace("{port}", str(port)) for one in TRICKS)]


@dataclass
class Canary:
    """Listens on this machine and counts who comes."""

    port: int
    came: list[int] = field(default_factory=list)


@pytest.fixture
def canary() -> Iterator[Canary]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.02)
        found, done = Canary(server.getsockname()[1]), threading.Event()

        def listen() -> None:
            while not done.is_set():
                with contextlib.suppress(TimeoutError):
                    server.accept()[0].close()
                    found.came.append(1)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield found
        time.sleep(0.05)
        done.set()
        thread.join()


def served(answers: Sequence[bytes], slow: float = 0.0) -> tuple[Callable[[str, int, float], socket.socket], list[str]]:
    """Connections to the public address whose other end gives these answers, one each; any other one is a real one."""
    left, asked = iter(answers), list[str]()

    def connect(address: str, port: int, seconds: float) -> socket.socket:
        if address != PUBLIC:
            return fetch.connected(address, port, seconds)
        near, far = socket.socketpair()
        near.settimeout(seconds)
        answer = next(left)

        def speak() -> None:
            with far, contextlib.suppress(OSError):
                asked.append(far.recv(4096).decode())
                for piece in [answer] if not slow else [bytes([one]) for one in answer]:
                    far.sendall(piece)
                    time.sleep(slow)

        threading.Thread(target=speak, daemon=True).start()
        return near

    return connect, asked


def page(body: bytes, kind: str = "text/plain", status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}\r\n".encode() + body


def public(host: str, port: int) -> list[str]:
    return [PUBLIC]


def test_forty_ways_to_this_machine_lead_nowhere(canary: Canary) -> None:
    ways = forms(canary.port)
    assert len(ways) == 40
    spelled = {host.strip("[]").lower().rstrip(".") for host in (*NUMBERS, *WRAPPED)}
    hosts = frozenset(f"{host}:{canary.port}" for host in (*spelled, *NUMBERS)) | {"good.test"}

    def resolve(host: str, port: int) -> list[str]:
        return [WRAPPED[host]] if host in WRAPPED else [PUBLIC] if host == "good.test" else fetch.resolved(host, port)

    for way in ways:
        with pytest.raises(NotFetched):
            Fetcher(hosts, resolve=resolve, seconds=5).get(way)
        leading = page(b"", status="302 Found", more=f"Location: {way}\r\n")
        connect, asked = served([leading])
        with pytest.raises(NotFetched):
            Fetcher(hosts, resolve=resolve, connect=connect, seconds=5).get("http://good.test/")
        assert len(asked) == 1
    time.sleep(0.1)
    assert canary.came == []
    fetch.connected("127.0.0.1", canary.port, 1).close()  # the listener does listen
    time.sleep(0.1)
    assert canary.came == [1]


@pytest.mark.parametrize("second", [address for address in WRAPPED.values() if ":" not in address])
def test_a_name_is_resolved_once(canary: Canary, second: str) -> None:
    given = itertools.chain([[PUBLIC]], itertools.repeat([second]))
    connect, asked = served([page(b"hello")])
    hosts = frozenset({f"turns.test:{canary.port}"})
    found = Fetcher(hosts, resolve=lambda host, port: next(given), connect=connect)
    assert found.get(f"http://turns.test:{canary.port}/").text == "hello" and len(asked) == 1
    with pytest.raises(NotFetched, match="not public"):
        found.get(f"http://turns.test:{canary.port}/")
    assert canary.came == []


def test_one_address_among_several_is_enough_to_refuse() -> None:
    with pytest.raises(NotFetched, match="not public"):
        Fetcher(frozenset({"a.test"}), resolve=lambda host, port: [PUBLIC, "127.0.0.1"]).get("http://a.test/")


def test_what_was_asked_and_what_came() -> None:
    connect, asked = served([page("Z\N{LATIN SMALL LETTER U WITH DIAERESIS}rich".encode(), "text/html; charset=utf-8")])
    found = Fetcher(frozenset({"a.test"}), resolve=public, connect=connect).get("http://a.test/x?y=1#z")
    assert found == fetch.Fetched(
        "http://a.test/x?y=1", "text/html", "Z\N{LATIN SMALL LETTER U WITH DIAERESIS}rich", True
    )
    assert asked[0].split("\r\n")[:2] == ["GET /x?y=1 HTTP/1.1", "Host: a.test"]
    assert "Accept-Encoding: identity" in asked[0] and "Cookie" not in asked[0]


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([page(b"", status="404 Not Found")], "answers 404"),
        ([page(b"x", "image/png")], "image/png"),
        ([page(b"x", more="Content-Encoding: gzip\r\n")], "no plain text"),
        ([b"nonsense"], "did not answer"),
        ([b""], "did not answer"),
        ([page(b"", status="302 Found", more="Location: http://b.test/\r\n")], "b.test is not among the hosts"),
        ([page(b"", status="302 Found", more="Location: http://[/\r\n")], "no plain http"),
        ([page(b"", status="301 Moved", more="Location: /again\r\n")] * 4, "more than 3 times"),
    ],
)
def test_what_is_not_read(answers: list[bytes], why: str) -> None:
    connect, _ = served(answers)
    with pytest.raises(NotFetched, match=why):
        Fetcher(frozenset({"a.test"}), resolve=public, connect=connect).get("http://a.test/")


def slow(host: str, port: int) -> list[str]:
    time.sleep(1)
    return [PUBLIC]


def test_size_and_time_are_bounded() -> None:
    connect, _ = served([page(b"a" * 5000), page(b"abc", more="Content-Length: 9\r\n")])
    fetcher = Fetcher(frozenset({"a.test"}), size=1000, resolve=public, connect=connect)
    found = fetcher.get("http://a.test/")
    assert len(found.text) == 1000 and not found.whole
    assert not fetcher.get("http://a.test/").whole  # it broke off
    connect, _ = served([page(b"a" * 5000)], slow=0.02)
    begun = time.monotonic()
    with pytest.raises(NotFetched, match=r"more than 0\.4 seconds"):
        replace(fetcher, seconds=0.4, connect=connect).get("http://a.test/")
    assert time.monotonic() - begun < 2
    with pytest.raises(NotFetched, match=r"in 0\.1 seconds"):
        replace(fetcher, seconds=0.1, resolve=slow).get("http://a.test/")


def test_the_environment_is_not_read(monkeypatch: pytest.MonkeyPatch, canary: Canary) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    connect, _ = served([page(b"ok")])
    assert Fetcher(frozenset({"a.test"}), resolve=public, connect=connect).get("http://a.test/").text == "ok"
    assert canary.came == []


def test_nothing_is_asked_by_default() -> None:
    with pytest.raises(NotFetched, match="not among the hosts"):
        Fetcher().get("http://example.org/")
