"""The page that shows how a server does: three files, what is seen as JSON, and its charts, for this machine alone."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Protocol

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dragoman.core.errors import Stopped, UserError
from dragoman.serve.guard import LOOPBACK, host_name
from dragoman.serve.limits import Limits
from dragoman.serve.page import SAFE
from dragoman.serve.refused import Refused, error_body
from dragoman.serve.run import listen, make_server, noted_signals
from dragoman.serve.worker import complain

__all__ = ["PARTS", "Look", "Looking", "build_watch", "open_watch"]

LIMITS = Limits(body_bytes=1024, connections=64, drain_seconds=2.0)
PARTS = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
}
"""Every file of the page, by its path."""
HEADERS = [(name.encode(), value.encode()) for name, value in {**SAFE, "cache-control": "no-store"}.items()]


@dataclass(frozen=True, slots=True)
class Look:
    """What there is to see at a moment: `view` in JSON types, and drawings as SVG by their names."""

    view: Mapping[str, Any]
    charts: Mapping[str, str]


class Looking(Protocol):
    """Where figures come from."""

    def look(self) -> Look:
        """See how it goes now; called from a thread, one call at a time. Raises UserError."""
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
                message["headers"] = [*message.get("headers", []), *HEADERS]
            await send(message)

        try:
            _admit(scope)
            await self.app(scope, receive, speak)
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
    """Raise Refused where another name than this machine's is called (DNS rebinding), or another page asks."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
    if len(hosts) != 1 or host_name(hosts[0]) not in LOOPBACK:
        raise Refused(403, "this page is for this machine alone: open it by 127.0.0.1 or localhost")
    for name, value in headers:
        # A link may lead to the page, which shows nothing by itself; what it fetches only it may fetch.
        if name == b"sec-fetch-site" and value not in (b"same-origin", b"none") and scope["path"] != "/":
            raise Refused(403, "pages from elsewhere may not look")


def build_watch(source: Looking, seconds: float = 5.0) -> FastAPI:
    """The page as an ASGI application; it looks at most once in so many seconds, however many windows are open."""
    folder = files("dragoman.serve").joinpath("watch_page")
    parts = {path: folder.joinpath(name).read_bytes() for path, (name, _) in PARTS.items()}
    turn = asyncio.Lock()
    seen: list[tuple[float, Look]] = []

    async def looked() -> Look:
        async with turn:
            if not seen or time.monotonic() - seen[0][0] >= seconds:
                try:
                    found = await asyncio.to_thread(source.look)
                except UserError as error:
                    raise Refused(400, f"{error.problem}: {error.hint}") from None
                seen[:] = [(time.monotonic(), found)]
            return seen[0][1]

    async def part(request: Request) -> Response:
        path = request.url.path
        return Response(parts[path], headers={"content-type": PARTS[path][1]})

    async def view(request: Request) -> Response:
        return Response(json.dumps((await looked()).view).encode(), media_type="application/json")

    async def chart(request: Request) -> Response:
        drawn = (await looked()).charts.get(request.path_params["name"])
        if drawn is None:
            raise HTTPException(404)
        return Response(drawn.encode(), media_type="image/svg+xml")

    app = FastAPI(title="Dragoman", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    for path in PARTS:
        app.add_api_route(path, part, methods=["GET"], response_model=None)
    app.add_api_route("/view", view, methods=["GET"], response_model=None)
    app.add_api_route("/chart/{name}", chart, methods=["GET"], response_model=None)
    app.add_exception_handler(HTTPException, _told)
    app.add_middleware(_Door)
    return app


async def _told(request: Request, error: Exception) -> Response:
    """The framework's own errors in our shape."""
    status = error.status_code if isinstance(error, HTTPException) else 400
    return Response(error_body(status, "there is no such thing here"), status, media_type="application/json")


def open_watch(source: Looking, port: int = 8011, seconds: float = 5.0) -> None:
    """Serve the page on this machine until SIGINT or SIGTERM, then raise Stopped; Busy when the port is taken."""
    listener = listen("127.0.0.1", port)
    server = make_server(build_watch(source, seconds), LIMITS)
    with noted_signals(server) as noted:
        sys.stderr.write(f"watching at http://127.0.0.1:{listener.getsockname()[1]}/ (Ctrl-C ends)\n")
        sys.stderr.flush()
        asyncio.run(server.serve(sockets=[listener]))
    raise Stopped(noted[0] if noted else signal.SIGTERM, "the page is closed; the journal goes on")
