"""The page on which people rate: three files, a view of the next item, and two ways to change it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qs

from fastapi import FastAPI, Request, Response

from dragoman.core.errors import UserError
from dragoman.serve.body import Held, read
from dragoman.serve.limits import Limits
from dragoman.serve.local_page import local_page, open_local
from dragoman.serve.refused import Refused

__all__ = ["Desk", "build_page", "open_page"]

LIMITS = Limits(body_bytes=4096, connections=64, drain_seconds=2.0)
PARTS = {"/": "page.html", "/page.css": "page.css", "/page.js": "page.js"}
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


def build_page(desk: Desk, rater: str) -> FastAPI:
    """The page as an ASGI application; `rater` rates where the address names nobody else (?rater=ben)."""
    held = Held()

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

    app = local_page("rating_page", PARTS)
    app.add_api_route("/view", view, methods=["GET"], response_model=None)
    app.add_api_route("/judge", judge, methods=["POST"], response_model=None)
    return app


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
    said = "rating at {url} (Ctrl-C ends; {url}?rater=ben is another rater)"
    ended = "the page is closed; all is saved, and the same command goes on"
    open_local(build_page(desk, rater), LIMITS, port, said, ended)
