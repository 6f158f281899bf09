"""Fetches a text from a host that was named beforehand, and from nowhere else, whatever an address or a server says."""

import contextlib
import http.client
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin

from dragoman.app.tools.addresses import Target, is_public, read_target
from dragoman.core.errors import UserError

__all__ = ["Fetched", "Fetcher", "NotFetched", "connected", "resolved"]

HINT = "only hosts that were named are asked: http(frozenset({'example.org'}))"
REDIRECTS = (301, 302, 303, 307, 308)
TEXTS = re.compile(r"text/.*|application/(?:.*\+)?(?:json|xml)|application/(?:yaml|toml|javascript)")
Resolve = Callable[[str, int], Sequence[str]]
Connect = Callable[[str, int, float], socket.socket]


class NotFetched(UserError):
    """An address that is not asked, or whose answer is not read."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What an address gave, after redirects."""

    address: str
    kind: str
    "its media type"
    text: str
    whole: bool
    "False where it is longer than what is read"


def resolved(host: str, port: int) -> list[str]:
    """The numeric addresses of a host. Raises OSError."""
    return list(dict.fromkeys(str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def connected(address: str, port: int, seconds: float) -> socket.socket:
    """A connection to a numeric address. Raises OSError."""
    return socket.create_connection((address, port), seconds)


@dataclass(frozen=True)
class Fetcher:
    """GET, to named hosts. A name is resolved once, every address that it has must be public, and that address is
    connected to, so no second answer of the name server counts; a redirect is a new address and is checked as the
    first. Nothing of the environment is read: no proxy, no cookie, no password."""

    hosts: frozenset[str] = frozenset()
    "Hosts that may be asked, in lower case; with `:port` where that is not the usual one. None is asked by default."

    size: int = 200_000
    "Bytes that are read of an answer."

    seconds: float = 10.0
    "For all of it: names, redirects, and a server that sends a byte at a time."

    redirects: int = 3
    "How many are followed; never from https to http."

    resolve: Resolve = resolved
    "What gives the numeric addresses of a host."

    connect: Connect = connected
    "What connects to a numeric address."

    def get(self, address: str) -> Fetched:
        """What stands at an address. Raises NotFetched, and says why."""
        until = time.monotonic() + self.seconds
        target = self._allowed(address)
        for _ in range(self.redirects + 1):
            found = self._asked(target, until)
            if isinstance(found, Fetched):
                return found
            following = self._allowed(_joined(target, found))
            if target.scheme == "https" and following.scheme == "http":
                raise NotFetched(f"{target.place} leads from https to http", HINT)
            target = following
        raise NotFetched(f"{target.place} leads on more than {self.redirects} times", HINT)

    def _allowed(self, address: str) -> Target:
        target = read_target(address)
        if target is None:
            raise NotFetched("that is no plain http or https address of a named host", HINT)
        if target.place not in self.hosts:
            raise NotFetched(f"{target.place} is not among the hosts that may be asked", HINT)
        return target

    def _asked(self, target: Target, until: float) -> Fetched | str:
        """What a target gave, or where it leads."""
        address = self._resolved(target, until)
        try:
            raw = self.connect(address, target.port, _left(until))
        except OSError as error:
            raise NotFetched(f"{target.place} cannot be reached: {error.strerror or error}", HINT) from None
        # A limit for each read would let a server that drips bytes hold on for ever: this ends the connection itself.
        guard = raw.dup()  # stays this connection's when TLS takes `raw` over
        alarm = threading.Timer(max(0.0, until - time.monotonic()), _cut, [guard])
        alarm.daemon = True
        alarm.start()
        try:
            with contextlib.closing(self._dressed(raw, target)) as line:
                found = self._read(target, line)
            if time.monotonic() >= until:  # an answer without a length ends where it is cut
                raise TimeoutError
            return found
        except (OSError, http.client.HTTPException, ValueError) as error:
            late = isinstance(error, TimeoutError) or time.monotonic() >= until
            why = f"it took more than {self.seconds:g} seconds" if late else type(error).__name__
            raise NotFetched(f"{target.place} did not answer: {why}", HINT) from None
        finally:
            alarm.cancel()
            guard.close()
            raw.close()

    def _resolved(self, target: Target, until: float) -> str:
        """The address to connect to. The system's resolver knows no limit, so it is asked from beside."""
        given: queue.SimpleQueue[Sequence[str] | OSError] = queue.SimpleQueue()

        def ask() -> None:
            try:
                given.put(self.resolve(target.host, target.port))
            except (OSError, UnicodeError) as error:
                given.put(error if isinstance(error, OSError) else OSError("no name"))

        threading.Thread(target=ask, daemon=True).start()
        try:
            found = given.get(timeout=_left(until))
        except queue.Empty:
            raise NotFetched(f"{target.host} was not found in {self.seconds:g} seconds", HINT) from None
        if isinstance(found, OSError) or not found:
            raise NotFetched(f"{target.host} is not known to the name server", HINT)
        if not all(is_public(one) for one in found):
            raise NotFetched(f"{target.host} has an address that is not public", HINT)
        return found[0]

    def _dressed(self, raw: socket.socket, target: Target) -> socket.socket:
        if target.scheme == "http":
            return raw
        return ssl.create_default_context().wrap_socket(raw, server_hostname=target.host)

    def _read(self, target: Target, line: socket.socket) -> Fetched | str:
        asking = http.client.HTTPConnection(target.host, target.port)
        asking.sock = line  # connected already: it never looks a name up itself
        asking.auto_open = 0
        asking.putrequest("GET", target.path, skip_host=True, skip_accept_encoding=True)
        for name, value in (("Host", target.place), ("Accept-Encoding", "identity"), ("Connection", "close")):
            asking.putheader(name, value)
        asking.endheaders()
        came = asking.getresponse()
        if came.status in REDIRECTS and came.getheader("Location"):
            return str(came.getheader("Location"))
        if came.status != 200:
            raise NotFetched(f"{target.place} answers {came.status}", HINT)
        kind = (came.getheader("Content-Type") or "text/plain").split(";")[0].strip().lower()
        if not TEXTS.fullmatch(kind) or (came.getheader("Content-Encoding") or "identity") != "identity":
            raise NotFetched(f"{target.address} is no plain text but {kind}", HINT)
        body = came.read(self.size + 1)
        named = came.headers.get_content_charset() or "utf-8"
        charset = named if named in ("utf-8", "us-ascii", "iso-8859-1", "windows-1252") else "utf-8"
        text = body[: self.size].decode(charset, "replace")
        return Fetched(target.address, kind, text, len(body) <= self.size and not came.length)


def _joined(target: Target, found: str) -> str:
    try:
        return urljoin(target.address, found)
    except ValueError:  # such as an open bracket
        return ""


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise NotFetched("that took too long", HINT)
    return left


def _cut(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
