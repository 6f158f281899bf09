"""The page that shows how a server does: three files, what is seen as JSON, and its charts, for this machine alone."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from dragoman.core.errors import UserError
from dragoman.serve.limits import Limits
from dragoman.serve.local_page import local_page, open_local
from dragoman.serve.refused import Refused

__all__ = ["PARTS", "Look", "Looking", "build_watch", "open_watch"]

LIMITS = Limits(body_bytes=1024, connections=64, drain_seconds=2.0)
PARTS = {"/": "index.html", "/style.css": "style.css", "/app.js": "app.js"}
"""Every file of the page, by its path."""


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


def build_watch(source: Looking, seconds: float = 5.0) -> FastAPI:
    """The page as an ASGI application; it looks at most once in so many seconds, however many windows are open."""
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

    async def view(request: Request) -> Response:
        return Response(json.dumps((await looked()).view).encode(), media_type="application/json")

    async def chart(request: Request) -> Response:
        drawn = (await looked()).charts.get(request.path_params["name"])
        if drawn is None:
            raise HTTPException(404)
        return Response(drawn.encode(), media_type="image/svg+xml")

    app = local_page("watch_page", PARTS)
    app.add_api_route("/view", view, methods=["GET"], response_model=None)
    app.add_api_route("/chart/{name}", chart, methods=["GET"], response_model=None)
    return app


def open_watch(source: Looking, port: int = 8011, seconds: float = 5.0) -> None:
    """Serve the page on this machine until SIGINT or SIGTERM, then raise Stopped; Busy when the port is taken."""
    said = "watching at {url} (Ctrl-C ends)"
    open_local(build_watch(source, seconds), LIMITS, port, said, "the page is closed; the journal goes on")
