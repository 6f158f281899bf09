"""The chat page as the server sends it: a fixed list of files out of the package, and what a browser may do with them.

No file is looked up by a name that a client sends: what is not in `PARTS` is not there. Nothing on the page is fetched
from elsewhere, and its policy lets a browser run, draw and call nothing but what this server sends; what a model, a
document or a person wrote is never more than text.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["PAGE", "PAGE_FILE", "PARTS", "POLICY", "SAFE", "Part", "page_part", "part_at", "send_page"]

PAGE = "/"
PAGE_FILE = "/page/{file}"
"""The two routes of the page; both are open: what they send holds nothing of anybody's."""

# Trusted Types besides: where a browser knows them, no script can turn a string into HTML at all.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
SAFE: Mapping[str, str] = MappingProxyType(
    {
        "content-security-policy": POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
        # Kept by the browser, and asked about each time: after an update no page stands half old, half new.
        "cache-control": "no-cache",
    }
)
_KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_MISSING = json.dumps(
    {"error": {"message": "there is no such route", "type": "invalid_request_error", "param": None, "code": None}}
)
PARTS = (
    "index.html",
    "style.css",
    "thread.css",
    "icon.svg",
    "answer.js",
    "api.js",
    "app.js",
    "asking.js",
    "chat.js",
    "compare.js",
    "dom.js",
    "door.js",
    "history.js",
    "inline.js",
    "judging.js",
    "labels.js",
    "markdown.js",
    "panel.js",
    "settings.js",
    "sources.js",
    "theme.js",
)
"""Every file of the page."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the page."""

    body: bytes
    kind: str
    "its content type"
    tag: str
    "its entity tag: another content has another one"


@cache
def page_part(name: str) -> Part:
    """A file of the page by its name, one of `PARTS`; read once. Raises KeyError where it is none of them."""
    if name not in PARTS:
        raise KeyError(name)
    body = files("dragoman.serve").joinpath("page", name).read_bytes()
    return Part(body, _KINDS[name.rpartition(".")[2]], f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def part_at(path: str) -> Part | None:
    """The file at a path of the server; None where there is none."""
    name = "index.html" if path == PAGE else path.removeprefix("/page/")
    # The page itself stands at one address, and the others below one folder.
    if name not in PARTS or (name == "index.html") is not (path == PAGE) or not path.startswith("/"):
        return None
    return page_part(name)


async def send_page(request: Request) -> Response:
    """The endpoint of both routes: a file, 304 where the browser has it, 404 where there is none of that name."""
    part = part_at(request.url.path)
    if part is None:
        return Response(_MISSING, 404, dict(SAFE), "application/json")
    headers = {**SAFE, "etag": part.tag}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if part.tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(part.body, headers={**headers, "content-type": part.kind})
