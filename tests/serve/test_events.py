"""A stream of events: each is JSON, the first one is awaited, and what goes wrong behind it is said."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from dragoman.core.errors import UserError
from dragoman.serve.events import DONE, HOLE, Events, Stencil, frame
from dragoman.serve.refused import Gone, Refused

TEXTS = ("", "plain", 'a "quote"', "\n\\", "héé 語 🙂", "\u2028", "<script>")


@pytest.mark.parametrize("text", TEXTS)
def test_a_stencil_writes_what_the_whole_event_is(text: str) -> None:
    def event(inner: str) -> dict[str, Any]:
        return {"id": "x", "choices": [{"index": 0, "delta": {"content": inner}, "finish_reason": None}]}

    assert Stencil(event(HOLE)).fill(text) == frame(event(text))


def sent(
    frames: AsyncGenerator[bytes, None], scope: dict[str, Any] | None = None
) -> tuple[list[Any], Exception | None]:
    """What a client is sent, and what is raised besides."""
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    async def receive() -> Any:
        raise AssertionError

    try:
        asyncio.run(Events(frames, {})({"type": "http"} if scope is None else scope, receive, send))
    except Exception as error:
        return told, error
    return told, None


@pytest.mark.parametrize(
    ("error", "status"), [(Refused(503, "no"), "server_error"), (UserError("x", "y"), "invalid_request_error")]
)
def test_what_fails_on_the_way_is_said(error: Exception, status: str) -> None:
    async def frames() -> AsyncGenerator[bytes, None]:
        yield frame({"delta": "a"})
        raise error

    told, raised = sent(frames())
    assert raised is None
    said = json.loads(told[-2]["body"].removeprefix(b"data: "))
    assert said["error"]["type"] == status
    assert not told[-1].get("more_body")
    assert DONE not in [one.get("body") for one in told]


def test_a_bug_on_the_way_is_said_without_its_words(capfd: pytest.CaptureFixture[str]) -> None:
    secret = "canary"

    async def frames() -> AsyncGenerator[bytes, None]:
        yield b"x"
        raise ValueError(secret)

    told, _ = sent(frames())
    assert b"server_error" in told[-2]["body"]
    assert b"canary" not in told[-2]["body"]
    said = capfd.readouterr().err
    assert "ValueError" in said
    assert "canary" not in said


@pytest.mark.parametrize("early", [True, False])
def test_what_fails_first_has_its_own_status_and_who_left_is_told_nothing(early: bool) -> None:
    closed = []

    async def frames() -> AsyncGenerator[bytes, None]:
        try:
            if not early:
                yield b"x"
            raise Gone
        finally:
            closed.append(True)

    told, raised = sent(frames())
    assert isinstance(raised, Gone)
    assert closed
    assert len(told) == (0 if early else 2)


def test_a_failure_on_the_way_is_left_for_the_guard() -> None:
    async def frames() -> AsyncGenerator[bytes, None]:
        yield b"x"
        raise Refused(429, "no")

    scope: dict[str, Any] = {"type": "http"}
    sent(frames(), scope)
    assert scope["dragoman.failed"] == 429
