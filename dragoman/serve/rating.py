"""The page on which people rate: three files, a view of the next item, and two ways to change it."""

import asyncio
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Protocol
from urllib.parse import parse_qs

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dragoman.core.errors import Stopped, UserError
from dragoman.serve.body import Held, read
from dragoman.serve.guard import LOOPBACK, host_name
from dragoman.serve.limits import Limits
from dragoman.serve.refused import Gone, Refused, error_body
from dragoman.serve.run import listen, make_server, noted_signals
from dragoman.serve.worker import complain

__all__ = ["POLICY", "Desk", "build_page", "open_page"]

# Nothing runs, nothing is drawn and nothing is fetched but what this server sends; no other page may frame it.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SAFE = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
LIMITS = Limits(body_bytes=4096, connections=64, drain_seconds=2.0)
PARTS = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
ACTS = ("rank", "skip", "undo")
SHAPE = 'the body is {"rater": NAME, "act": "rank", "skip" or "undo", "item": KEY, "picked": [PLACES from 0]}'


class Desk(Protocol):
    """Where judgements are made and kept: what a page needs of it. Each may raise UserError."""

    def view(self, rater: str) -> Mapping[str, Any]:
        """What a rater is shown next, in JSON types."""
        ...

    def judge(self, rater: str, key: str, act: str, picked: Sequence[int] = ()) -> bool:
        """Write a judgement to the disk; False where the item is not the next one any more."""
        ...

    def undo(self, rater: str) -> bool:
        """Take back the last judgement of a rater; False where there is none."""
        ...


class _Door:
    """ASGI middleware: only this machine's names get in, every answer carries the policy, nothing raised leaves."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        begun = False

        async def speak(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message.get("headers", []), *SAFE]
            await send(message)

        try:
            _admit(scope)
            await self.app(scope, receive, speak)
            return
        except Gone:
            return
        except Refused as refused:
            told = refused
        except Exception as error:
            complain(error)
            told = Refused(500, "the server failed on this request")
        if not begun:
            body = error_body(told.status, told.message)
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await speak({"type": "http.response.start", "status": told.status, "headers": headers})
            await speak({"type": "http.response.body", "body": body})


def _admit(scope: Scope) -> None:
    """Raise Refused where another name than this machine's is called (DNS rebinding), or another page calls."""
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1 or host_name(hosts[0]) not in LOOPBACK:
        raise Refused(403, "this page is for this machine alone: open it by 127.0.0.1 or localhost")
    for name, value in scope["headers"]:
        if name == b"origin" and value.decode("latin-1").lower() != f"http://{hosts[0]}".lower():
            raise Refused(403, "pages from elsewhere may not rate")
        # A link may lead to the page, which shows nothing by itself; what it fetches only it may fetch.
        if name == b"sec-fetch-site" and value not in (b"same-origin", b"none") and scope["path"] != "/":
            raise Refused(403, "pages from elsewhere may not rate")


def build_page(desk: Desk, rater: str) -> FastAPI:
    """The page as an ASGI application; `rater` rates where the address names nobody else (?rater=ben)."""
    held = Held()
    folder = files("dragoman.serve").joinpath("rating_page")
    parts = {path: folder.joinpath(name).read_bytes() for path, (name, _) in PARTS.items()}

    async def part(request: Request) -> Response:
        path = request.url.path
        return Response(parts[path], headers={"content-type": PARTS[path][1]})

    async def view(request: Request) -> Response:
        named = parse_qs(request.url.query).get("rater", [rater])[0]
        return _shown(desk, named)

    async def judge(request: Request) -> Response:
        said = _parse(await read(request, LIMITS, held))
        try:
            moved = not _act(desk, said)
        except UserError as error:
            raise Refused(400, f"{error.problem}: {error.hint}") from None
        return _shown(desk, said["rater"], 409 if moved else 200)

    app = FastAPI(title="Dragoman", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    for path in PARTS:
        app.add_api_route(path, part, methods=["GET"], response_model=None)
    app.add_api_route("/view", view, methods=["GET"], response_model=None)
    app.add_api_route("/judge", judge, methods=["POST"], response_model=None)
    app.add_exception_handler(HTTPException, _told)
    app.add_middleware(_Door)
    return app


async def _told(request: Request, error: Exception) -> Response:
    """The framework's own errors in our shape."""
    status = error.status_code if isinstance(error, HTTPException) else 400
    return Response(error_body(status, "there is no such thing here"), status, media_type="application/json")


def _shown(desk: Desk, rater: str, status: int = 200) -> Response:
    try:
        body = json.dumps(desk.view(rater)).encode()
    except UserError as error:
        raise Refused(400, f"{error.problem}: {error.hint}") from None
    return Response(body, status, media_type="application/json")


def _parse(data: bytes) -> dict[str, Any]:
    """What a page asks for. Raises Refused for anything that is not of that shape."""
    try:
        said = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refused(400, f"the body is not valid JSON: {SHAPE}") from None
    if not isinstance(said, dict) or not set(said) <= {"rater", "act", "item", "picked"} or said.get("act") not in ACTS:
        raise Refused(400, SHAPE)
    said = {"item": "", "picked": [], **said}
    texts = all(isinstance(said.get(name), str) for name in ("rater", "item"))
    if not texts or not isinstance(said["picked"], list) or any(type(one) is not int for one in said["picked"]):
        raise Refused(400, SHAPE)
    return said


def _act(desk: Desk, said: Mapping[str, Any]) -> bool:
    """Do what was asked, one request after the other; when this returns, the disk holds it. False where the page was
    behind."""
    if said["act"] == "undo":
        desk.undo(said["rater"])  # where there is nothing to take back, nothing changes
        return True
    return desk.judge(said["rater"], said["item"], said["act"], said["picked"])


def open_page(desk: Desk, rater: str, port: int = 8010) -> None:
    """Serve the page on this machine until SIGINT or SIGTERM, then raise Stopped; Busy when the port is taken."""
    listener = listen("127.0.0.1", port)
    server = make_server(build_page(desk, rater), LIMITS)
    with noted_signals(server) as noted:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        sys.stderr.write(f"rating at {url} (Ctrl-C ends; {url}?rater=ben is another rater)\n")
        sys.stderr.flush()
        asyncio.run(server.serve(sockets=[listener]))
    raise Stopped(
        noted[0] if noted else signal.SIGTERM, "the page is closed; all is saved, and the same command goes on"
    )
