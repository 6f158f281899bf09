"""The door of the server: who may come in, what is counted, and what is said when something breaks."""

import asyncio
import contextlib
import ipaddress
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dragoman.serve.context import Context
from dragoman.serve.keys import presented
from dragoman.serve.refused import Gone, Refused, error_body
from dragoman.serve.worker import complain

__all__ = ["LOOPBACK", "Guard", "host_name", "is_address", "route_of"]

WORK = ("chat", "complete", "embed", "classify", "tag", "ask")
"""The scopes whose requests a model answers."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
SAFE = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]


def host_name(text: str) -> str:
    """The name in a Host header, without its port, in lower case; empty when it is not one."""
    if not text.isascii() or any(letter in text for letter in "/\\@?# \t,"):
        return ""
    try:
        parts = urlsplit(f"//{text}")
        _ = parts.port
        return (parts.hostname or "").removesuffix(".")
    except ValueError:
        return ""


def is_address(name: str) -> bool:
    """Whether a host name is a numeric address; a name that a stranger's DNS points at us never is."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def route_of(path: str, access: Mapping[str, str]) -> str:
    """The route of a path, one of the table's; empty where there is none. A route may end in a name of the client's."""
    if path in access:
        return path
    front, _, last = path.rpartition("/")
    return next((route for route in access if last and route.startswith(f"{front}/{{")), "")


class Guard:
    """ASGI middleware around everything: it checks names, origins and keys, gives errors one shape and counts requests.

    `access` says for each route whether it is `open` or which scope of a key it needs; a path that is not in it needs a
    key too. `hosts` are the names the server may be called by, against DNS rebinding; with `addresses`, any numeric
    address is one too.
    """

    def __init__(
        self, app: ASGIApp, access: Mapping[str, str], hosts: Sequence[str], addresses: bool, context: Context
    ) -> None:
        self.app = app
        self.access = access
        self.hosts = frozenset(host.lower() for host in hosts)
        self.addresses = addresses
        self.context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; nothing raised inside leaves here."""
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        began, status, failed = time.perf_counter(), 0, 0
        token = scope["dragoman.token"] = secrets.token_hex(12)

        async def speak(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                named = {name for name, _ in message.get("headers", [])}
                always = (*SAFE, (b"x-request-id", f"req-{token}".encode()))
                message["headers"] = [*message.get("headers", []), *(pair for pair in always if pair[0] not in named)]
            await send(message)

        try:
            self.admit(scope)
            await self.app(scope, receive, speak)
        except Gone:
            status = failed = 499  # nobody is left to hear it; counted as such
        except Refused as refused:
            failed = refused.status
            await self._refuse(speak, refused, status)
        except asyncio.CancelledError:  # the time to drain is over
            failed = 503
            await self._refuse(speak, Refused(503, "the server is stopping", 1), status)
        except Exception as error:
            complain(error)
            failed = 500
            await self._refuse(speak, Refused(500, "the server failed on this request"), status)
        finally:
            route = route_of(scope["path"], self.access) or "other"
            failed = failed or int(scope.get("dragoman.failed", 0))  # a stream that had begun says so here
            self.context.meters.count(route, failed or status, time.perf_counter() - began)
            await self._keep(scope, failed)

    async def _keep(self, scope: Scope, failed: int) -> None:
        """Write down a request to a model that failed; those that did not have written themselves."""
        record = scope.get("dragoman.record")
        if failed and record is not None and not record.kept:
            with contextlib.suppress(Refused):  # it has its answer, whatever the disk says
                await self.context.keep(record, failed)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})

    def admit(self, scope: Scope) -> None:
        """Raise Refused unless the request may come in: 400 where muddled, 403 from a foreign name, 401 keyless, 404
        where the table has no such route: what is forwarded was checked by the name that the router knows it by."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        names = [name for name, _ in headers]
        if CONTROL.search(scope["path"]):  # the router's patterns match in front of a line's end too
            raise Refused(400, "the path holds a control character")
        if (b"transfer-encoding" in names and b"content-length" in names) or names.count(b"content-length") > 1:
            raise Refused(400, "the length of the body is given twice")
        hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not self.known(host_name(hosts[0])):
            raise Refused(403, "this server is not known by that name: see the setting hosts")
        for name, value in headers:
            if name == b"origin" and not self._ours(value.decode("latin-1")):
                raise Refused(403, "pages from elsewhere may not call this server: see the setting hosts")
        route = route_of(scope["path"], self.access)
        needed = self.access.get(route, "key")
        if needed != "open":
            self._let_in(scope, needed)
        if not route:
            raise Refused(404, "there is no such route")
        if needed in WORK:
            self._check_room(scope)  # before routing, and before a byte of the body is read

    def _let_in(self, scope: Scope, needed: str) -> None:
        """Find out whose key it is. Raises Refused: 401 without one, 403 where it does not open this."""
        ring = self.context.keyring
        if ring is None:
            return
        key = ring.find(presented(scope["headers"]))
        if key is None:
            raise Refused(401, "a key is needed: send it as Authorization: Bearer KEY")
        if needed != "key" and not key.may(needed):
            raise Refused(403, "this key does not open this route")
        scope["dragoman.key"] = key

    def _check_room(self, scope: Scope) -> None:
        """Raise Refused where no model has room for one more request, or the key has spent its requests."""
        owners = [one for served in self.context.catalogue for one in (served.scheduler, served.worker) if one]
        refusals = []
        for one in owners:
            try:
                one.check_room()
                break
            except Refused as refused:
                refusals.append(refused)
        else:
            if refusals:
                raise refusals[0]
        key = scope.get("dragoman.key")
        if self.context.budgets is not None and key is not None:
            self.context.budgets.admit(key)

    def known(self, name: str) -> bool:
        """Whether the server may be called by this name."""
        return name in self.hosts or (self.addresses and is_address(name))

    def _ours(self, origin: str) -> bool:
        scheme, _, rest = origin.partition("://")
        return scheme in ("http", "https") and self.known(host_name(rest))

    async def _refuse(self, send: Send, refused: Refused, status: int) -> None:
        if status:
            return  # the answer has begun; it ends short, which the client sees
        body = error_body(refused.status, refused.message, refused.param, refused.code)
        headers = [(b"content-length", str(len(body)).encode())]
        if refused.retry_after:
            headers.append((b"retry-after", str(refused.retry_after).encode()))
        if refused.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if refused.status in (408, 503):
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": refused.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
