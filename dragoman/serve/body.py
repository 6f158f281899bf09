"""The body of a request: read within its bounds, then taken apart without trusting any of it."""

import asyncio
import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from dragoman.serve.limits import Limits
from dragoman.serve.refused import Gone, Refused

__all__ = ["Held", "parse", "read", "strict"]

# A JSON string, closed or cut off. Possessive, so that no body makes the search go back and take quadratic time.
STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
SURROGATE = re.compile("[\ud800-\udfff]")
BRACKETS = re.compile(rb"[\[\]{}]")


@dataclass
class Held:
    """How many bytes of bodies are being held, over all requests."""

    total: int = field(default=0)


async def read(request: Request, limits: Limits, held: Held) -> bytes:
    """The whole body of a request. Raises Refused as soon as a bound is passed, with the rest unread."""
    _check_headers(request, limits)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            more = True
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                part = message.get("body", b"")
                size += len(part)
                held.total += len(part)
                if size > limits.body_bytes:
                    raise Refused(413, f"the body is larger than {limits.body_bytes} bytes")
                if held.total > limits.held_bytes:
                    raise Refused(503, "too many bodies are being read", 1)
                parts.append(part)
                more = message.get("more_body", False)
    except TimeoutError:
        raise Refused(408, f"the body took longer than {limits.body_seconds:g} seconds") from None
    finally:
        held.total -= size
    return b"".join(parts)


def _check_headers(request: Request, limits: Limits) -> None:
    kind = request.headers.get("content-type", "").split(";")
    charset = [part.strip().lower() for part in kind[1:]]
    if kind[0].strip().lower() != "application/json" or not set(charset) <= {"charset=utf-8", 'charset="utf-8"', ""}:
        raise Refused(415, "the content-type is application/json, in UTF-8")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "a compressed body is not read")
    length = request.headers.get("content-length", "0")
    if len(length) > 18 or not length.isascii() or not length.isdigit() or int(length) > limits.body_bytes:
        raise Refused(413, f"the body is larger than {limits.body_bytes} bytes")


def parse(data: bytes, limits: Limits) -> dict[str, Any]:
    """The JSON object that a body is. Raises Refused (400) for anything else: what is not UTF-8 or not JSON, NaN, a
    field that stands twice, half a surrogate pair, a NUL, more nesting than is looked at."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(400, "the body is not UTF-8") from None
    _check_nesting(data, limits)  # before parsing: depth and fan-out cost nothing
    try:
        value = strict(text)
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not valid JSON") from None
    if not isinstance(value, dict):
        raise Refused(400, "the body is not a JSON object")
    return value


def strict(text: str) -> Any:
    """The value of a JSON text. Raises ValueError where it is none, RecursionError where it is too deep, and Refused
    (400) for a field that stands twice, half a surrogate pair and a NUL."""
    value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
    _check_texts(value)
    return value


def _check_nesting(data: bytes, limits: Limits) -> None:
    depth, found = 0, BRACKETS.findall(STRING.sub(b"", data))
    if len(found) > limits.brackets:
        raise Refused(400, "the body holds too many lists and objects")
    for bracket in found:
        depth += 1 if bracket in b"[{" else -1
        if depth > limits.depth:
            raise Refused(400, "the body is nested too deep")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise Refused(400, "a field stands twice in the body")
    return dict(pairs)


def _constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are no JSON


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError  # 1e400 is JSON, and no number
    return value


def _check_texts(value: Any) -> None:
    """Refuse what no model can read, wherever it stands."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str):
            if "\x00" in one:
                raise Refused(400, "a text holds a NUL character")
            if not one.isascii() and SURROGATE.search(one):
                raise Refused(400, "a text holds half of a surrogate pair")
