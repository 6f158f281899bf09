"""A page for this machine alone: its files, its door, its errors, and how it is opened and closed."""

import asyncio
import signal
import sys
from collections.abc import Mapping
from importlib.resources import files

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dragoman.core.errors import Stopped
from dragoman.serve.guard import LOOPBACK, host_name
from dragoman.serve.limits import Limits
from dragoman.serve.page import SAFE
from dragoman.serve.refused import Gone, Refused, error_body
from dragoman.serve.run import listen, make_server, noted_signals
from dragoman.serve.worker import complain

__all__ = ["KINDS", "local_page", "open_local"]

KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
HEADERS = [(name.encode(), value.encode()) for name, value in {**SAFE, "cache-control": "no-store"}.items()]


def local_page(folder: str, parts: Mapping[str, str]) -> FastAPI:
    """An application with the files of a folder of this package, by their paths; routes may be added to it."""
    held = {path: files("dragoman.serve").joinpath(folder, name).read_bytes() for path, name in parts.items()}

    async def part(request: Request) -> Response:
        path = request.url.path
        kind = KINDS[parts[path].rpartition(".")[2]]
        return Response(held[path], headers={"content-type": f"{kind}; charset=utf-8"})

    app = FastAPI(title="Dragoman", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    for path in parts:
        app.add_api_route(path, part, methods=["GET"], response_model=None)
    app.add_exception_handler(HTTPException, _told)
    app.add_middleware(_Door)
    return app


def open_local(app: FastAPI, limits: Limits, port: int, told: str, ended: str) -> None:
    """Serve a page on this machine until SIGINT or SIGTERM, then raise Stopped; Busy when the port is taken.

    `told` is what a person sees, with {url} in it, `ended` what the end says.
    """
    listener = listen("127.0.0.1", port)
    server = make_server(app, limits)
    with noted_signals(server) as noted:
        sys.stderr.write(told.format(url=f"http://127.0.0.1:{listener.getsockname()[1]}/") + "\n")
        sys.stderr.flush()
        asyncio.run(server.serve(sockets=[listener]))
    raise Stopped(noted[0] if noted else signal.SIGTERM, ended)


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
            raise Refused(403, "pages from elsewhere may not use this one")
        # A link may lead to the page, which shows nothing by itself; what it fetches only it may fetch.
        if name == b"sec-fetch-site" and value not in (b"same-origin", b"none") and scope["path"] != "/":
            raise Refused(403, "pages from elsewhere may not use this one")


async def _told(request: Request, error: Exception) -> Response:
    """The framework's own errors in our shape."""
    status = error.status_code if isinstance(error, HTTPException) else 400
    return Response(error_body(status, "there is no such thing here"), status, media_type="application/json")
