"""One JSON request to an engine over HTTP: retried with patience, bounded in time, closed when nobody waits."""

from __future__ import annotations

import contextlib
import email.utils
import functools
import ipaddress
import json
import random
import re
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dragoman.core.errors import UserError

if TYPE_CHECKING:
    import httpx

__all__ = ["Cancelled", "Refused", "Wire", "is_loopback"]

_LONGEST_WAIT = 60.0  # seconds between two tries, whatever the engine asks for
_LARGEST = 64 * 2**20  # bytes of one answer: an engine that sends more is broken
_AGAIN = (408, 425, 429)  # with 5xx: the same request may do better later
_ENGINE = "see that the engine runs at this address: dragoman generate openai:http://host:port/v1#model"


class Cancelled(Exception):
    """The request was given up on this side, by `Wire.cancel`."""


class Refused(Exception):
    """The engine answered, and will not do what was asked: the HTTP status, its words, and the field it names."""

    def __init__(self, status: int, said: str, field: str = "") -> None:
        super().__init__(f"{status}: {said}")
        self.status = status
        self.said = said
        self.field = field


@dataclass(eq=False)
class _Open:
    """A client with its connections, and what stops those who use it."""

    client: httpx.Client
    stop: threading.Event = field(default_factory=threading.Event)
    users: int = 0


class Wire:
    """Sends JSON to one address. No connection is made before the first request; redirects are not followed.

    `time_out` bounds one try in seconds (of a stream: each silence in it), `total` all tries of a request with the
    waits between them (of a stream: all of it). Tries are repeated on 408, 425, 429, 5xx and broken connections, after
    0.5, 1, 2, ... seconds, each shortened by up to half at random so that many clients do not come back together, or
    after what Retry-After says.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        time_out: float,
        total: float,
        retries: int,
        connections: int,
        first_wait: float = 0.5,
    ) -> None:
        self.url = url
        self._key = key
        self._time_out = time_out
        self._total = total
        self._retries = retries
        self._connections = connections
        self._first_wait = first_wait
        self._lock = threading.Lock()
        self._open: _Open | None = None
        self._last: weakref.finalize[Any, Any] | None = None
        self._streams: list[Any] = []

    def __repr__(self) -> str:
        return f"Wire({self.url!r})"

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one request, a JSON object.

        Raises Refused where the engine says no (4xx), UserError where it does not answer well in time, Cancelled.
        """
        with self._using() as held:
            _, data = self._answer(held, path, body, whole=True)
        found = _json(data)
        if not isinstance(found, dict):
            raise UserError(f"{self.url} answered with something that is no JSON object: {self._clean(data)}", _ENGINE)
        if found.get("error"):  # some engines say 200 to everything
            raise UserError(f"{self.url} answered with an error: {self._clean(_reason(data)[0])}", _ENGINE)
        return found

    def events(
        self, path: str, body: Mapping[str, Any], given_up: threading.Event | None = None
    ) -> Generator[dict[str, Any], None, None]:
        """The objects of a stream of server-sent events; the last is `{"done": True}` where it ended with `[DONE]`.

        Closing the iterator closes the connection, which is how an engine learns that nobody reads on. Raises as
        `post`; a connection that breaks off is a UserError. Whoever may call `cancel` before the request has begun sets
        `given_up` first: it does not begin then.
        """
        import httpx

        end = time.monotonic() + self._total
        with self._using(given_up) as held:
            response, unread = self._answer(held, path, body, whole=False)
            with contextlib.closing(response):
                try:
                    for piece in response.iter_bytes():
                        *lines, unread = (unread + piece).split(b"\n")  # U+2028 ends no line: it may stand in a text
                        self._check(len(unread), end)
                        for line in lines:
                            event = self._event(line)
                            if event:
                                yield event
                            if "done" in event:
                                return
                except (httpx.TransportError, httpx.StreamError) as error:
                    if held.stop.is_set():
                        raise Cancelled from None
                    problem = f"the answer of {self.url} broke off: {_broken(error, self._time_out)}"
                    raise UserError(problem, _ENGINE) from None

    def cancel(self) -> None:
        """Give up all requests under way and close their connections; later requests make new ones."""
        with self._lock:
            held, self._open = self._open, None
            streams, self._streams = self._streams, []
            if held is not None:
                held.stop.set()
            unused = self._last if held is not None and not held.users else None
        for stream in streams:
            _wake(stream)
        if unused is not None:
            unused()

    def look(self, address: str, seconds: float = 5.0) -> tuple[int, Any]:
        """The status of what stands at an address, and its JSON (None where it is none): asked for once.

        A path belongs to this wire's address. Raises UserError where nothing answers in so many seconds.
        """
        import httpx

        with self._using() as held:
            trace = functools.partial(self._trace, held.stop)
            try:
                request = held.client.build_request("GET", address, timeout=seconds, extensions={"trace": trace})
                with contextlib.closing(held.client.send(request, stream=True)) as response:
                    return response.status_code, _json(self._read(response, time.monotonic() + seconds))
            except (httpx.TransportError, httpx.StreamError) as error:
                if held.stop.is_set():
                    raise Cancelled from None
                raise UserError(f"{self.url} does not answer: {_broken(error, seconds)}", _ENGINE) from None

    def beside(self) -> Wire:
        """Another wire to the same address, whose one connection is its own to cancel."""
        return Wire(
            self.url,
            self._key,
            time_out=self._time_out,
            total=self._total,
            retries=self._retries,
            connections=1,
            first_wait=self._first_wait,
        )

    def _answer(self, held: _Open, path: str, body: Mapping[str, Any], whole: bool) -> tuple[httpx.Response, bytes]:
        """The good response of the first try that got one, still open, and its content where `whole`."""
        import httpx

        client, stop, trace = held.client, held.stop, functools.partial(self._trace, held.stop)
        content, end, problem = _bytes(body), time.monotonic() + self._total, ""
        refused: Refused | None = None
        for attempt in range(self._retries + 1):
            wait = min(self._first_wait * 2**attempt, _LONGEST_WAIT) * random.uniform(0.5, 1)
            deadline = min(end, time.monotonic() + self._time_out)
            try:
                request = client.build_request("POST", path, content=content, extensions={"trace": trace})
                response = client.send(request, stream=True)
                if response.status_code < 300 and not whole:
                    return response, b""
                with contextlib.closing(response):
                    if response.status_code < 300:
                        return response, self._read(response, deadline)
                    problem = self._problem(response, deadline)
                    refused = Refused(response.status_code, problem)
                    wait = max(wait, _retry_after(response.headers.get("retry-after", "")))
            except (httpx.TransportError, httpx.StreamError) as error:
                problem, refused = _broken(error, self._time_out), None
            if stop.is_set():  # `cancel` cut the connection under us
                raise Cancelled
            if attempt == self._retries or time.monotonic() + wait > end:
                break
            stop.wait(wait)
        tries = f" after {attempt + 1} tries" if attempt else ""
        raise UserError(f"{self.url} did not answer{tries}: {problem}", _ENGINE) from refused

    def _read(self, response: httpx.Response, deadline: float) -> bytes:
        """A whole answer, within bounds of size and time."""
        data = bytearray()
        for piece in response.iter_bytes():
            data += piece
            self._check(len(data), deadline)
        return bytes(data)

    def _problem(self, response: httpx.Response, deadline: float) -> str:
        """What a bad answer says by the deadline. Raises Refused where another try would get the same one."""
        data = bytearray()
        for piece in response.iter_bytes():
            data += piece
            if len(data) > 65536 or time.monotonic() > deadline:
                break
        said, field = _reason(bytes(data))
        status = response.status_code
        if status in _AGAIN or status >= 500:
            return f"{status} {self._clean(said)}".strip()
        raise Refused(status, self._clean(said), field)

    @contextlib.contextmanager
    def _using(self, given_up: threading.Event | None = None) -> Iterator[_Open]:
        """The open client; a cancelled one is closed behind its last user: a socket that is closed while a thread
        reads from it wakes that thread on some kernels alone."""
        with self._lock:
            if given_up is not None and given_up.is_set():
                raise Cancelled
            if self._open is None:
                self._open = _Open(self._client())
                self._last = weakref.finalize(self, self._open.client.close)  # who drops the model leaves nothing open
            held, last = self._open, self._last
            held.users += 1
        try:
            yield held
        finally:
            with self._lock:
                held.users -= 1
                over = held.stop.is_set() and not held.users
            if over and last is not None:
                last()  # closes the client, once

    def _client(self) -> httpx.Client:
        import httpx

        headers = {"content-type": "application/json", "user-agent": "dragoman"}
        if self._key:
            headers["authorization"] = f"Bearer {self._key}"
        address = httpx.URL(self.url)
        return httpx.Client(
            base_url=self.url,
            headers=headers,
            # Reading the certificates of all authorities takes 40 ms, and over http nobody shows one.
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if address.scheme == "http" else True,
            timeout=httpx.Timeout(self._time_out, connect=min(10.0, self._time_out)),
            limits=httpx.Limits(max_connections=self._connections),
            trust_env=not is_loopback(address.host),  # a proxy is for other machines
        )

    def _trace(self, stop: threading.Event, event: str, found: Mapping[str, Any]) -> None:
        """httpx tells each step: the sockets it opens are remembered, because `cancel` must wake who waits on one."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            with self._lock:
                if not stop.is_set():
                    self._streams = [*self._streams[-4 * self._connections :], found["return_value"]]
                    return
            _wake(found["return_value"])  # it was given up while it connected

    def _check(self, size: int, deadline: float) -> None:
        if size > _LARGEST:
            raise UserError(f"{self.url} sends more than {_LARGEST >> 20} MiB in one answer", _ENGINE)
        if time.monotonic() > deadline:
            raise UserError(f"the answer of {self.url} was not whole in time", _ENGINE)

    def _event(self, line: bytes) -> dict[str, Any]:
        """What a line of a stream holds; `{}` where it is no event."""
        data = line.removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or not data:
            return {}
        if data == b"[DONE]":
            return {"done": True}
        found = _json(data)
        if found is None:
            raise UserError(f"{self.url} streams something that is no JSON: {self._clean(data)}", _ENGINE)
        if not isinstance(found, dict) or found.get("error"):  # some engines write an error of null into every piece
            said, _ = _reason(data)
            raise UserError(f"{self.url} stopped with an error: {self._clean(said)}", _ENGINE)
        return found

    def _clean(self, said: str | bytes | bytearray) -> str:
        """An engine's words, fit to be shown: one line, no control characters, not our key, not a page."""
        text = said if isinstance(said, str) else said.decode("utf-8", "replace")
        text = text.replace(self._key, "[key]") if self._key else text
        text = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", text).split())
        return text if len(text) <= 300 else f"{text[:300]}..."


def _wake(stream: Any) -> None:
    """Closing a socket alone would not wake a thread that waits for bytes."""
    with contextlib.suppress(OSError):  # closed already
        stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def _json(data: bytes) -> Any:
    """What an engine's JSON holds; None where it is none, or is nested deeper than Python reads."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _bytes(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except UnicodeEncodeError:
        raise UserError("the prompt holds half a character (a lone surrogate)", "save it as UTF-8 again") from None


def _reason(data: bytes) -> tuple[str, str]:
    """The message in the body of an error, and the field it names, as OpenAI, vLLM, llama.cpp and FastAPI spell it."""
    found = _json(data)
    if found is None:
        return data.decode("utf-8", "replace"), ""
    inner = found.get("error", found) if isinstance(found, dict) else found
    if isinstance(inner, dict):
        detail = inner.get("message") or inner.get("detail") or ""
        if isinstance(detail, list) and detail and isinstance(detail[0], dict):
            where = [str(part) for part in detail[0].get("loc", ()) if part != "body"]
            return str(detail[0].get("msg", "")), where[0] if where else ""
        return str(detail or json.dumps(inner)), str(inner.get("param") or "")
    return str(inner), ""


def _broken(error: Exception, time_out: float) -> str:
    """What became of a connection, in words; httpx's own words may hold the address, never the key."""
    import httpx

    if isinstance(error, httpx.TimeoutException):
        return f"no answer within {time_out:g} s"
    if isinstance(error, httpx.ConnectError):
        return f"no connection ({error})"
    return f"the connection was cut ({str(error) or type(error).__name__})"


def _retry_after(text: str) -> float:
    """Seconds of a Retry-After header, a number or a date; 0 where it says nothing good."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, TypeError):
            return 0.0
    return min(max(seconds, 0.0), _LONGEST_WAIT) if seconds == seconds else 0.0


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its own name, which no name server is asked about."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, such as 127.example.org, may lead anywhere
        return False
