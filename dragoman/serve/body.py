"""The body of a request: read within its bounds, then taken apart without trusting any of it."""

import asyncio
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from dragoman.serve.limits import Limits
from dragoman.serve.refused import Gone, Refused

__all__ = ["Held", "parse", "read"]

# A JSON string, closed or cut off. Possessive, so that no body makes the search go back and take quadratic time.
STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
FIELDS = ("input", "inputs")
SHAPE = 'the body is {"input": TEXT} or {"inputs": [TEXT, ...]}'


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


def parse(data: bytes, limits: Limits) -> list[str]:
    """The texts of a request. Raises Refused (400 or 413) for anything that is not one of the two shapes."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(400, "the body is not UTF-8") from None
    bare = STRING.sub(b"", data)
    if bare.count(b"{") + bare.count(b"[") > 2:  # before parsing: depth and fan-out cost nothing
        raise Refused(400, f"the body is nested too deep: {SHAPE}")
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except (ValueError, RecursionError):
        raise Refused(400, f"the body is not valid JSON: {SHAPE}") from None
    return _texts(value, limits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise Refused(400, "a field stands twice in the body")
    return dict(pairs)


def _constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are no JSON


def _texts(value: Any, limits: Limits) -> list[str]:
    if not isinstance(value, dict) or len(value) == 0:
        raise Refused(400, SHAPE)
    if not set(value) <= set(FIELDS):
        raise Refused(400, f"there is an unknown field: {SHAPE}")
    if len(value) > 1:
        raise Refused(400, f"give input or inputs, not both: {SHAPE}")
    texts = value.get("inputs", [value.get("input")])
    if not isinstance(texts, list):
        raise Refused(400, f"inputs is not a list: {SHAPE}")
    if not texts:
        raise Refused(400, "inputs is empty")
    if len(texts) > limits.texts:
        raise Refused(413, f"there are more than {limits.texts} texts")
    _check(texts, "inputs" in value, limits)
    return texts


def _check(texts: Iterable[Any], many: bool, limits: Limits) -> None:
    for position, text in enumerate(texts):
        name = f"inputs[{position}]" if many else "input"
        if not isinstance(text, str):
            raise Refused(400, f"{name} is not a text")
        if not text.strip():
            raise Refused(400, f"{name} is empty")
        if len(text) > limits.characters:
            raise Refused(413, f"{name} has more than {limits.characters} characters")
        if "\x00" in text:
            raise Refused(400, f"{name} holds a NUL character")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise Refused(400, f"{name} holds half of a surrogate pair") from None
