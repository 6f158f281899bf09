"""Server-sent events: what is written goes out piece by piece, and a failure on the way is said, never a silent cut."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dragoman.core.errors import UserError
from dragoman.serve.refused import Gone, Refused, error_body
from dragoman.serve.worker import complain

__all__ = ["DONE", "Events", "frame", "reply"]

DONE = b"data: [DONE]\n\n"


def frame(value: Any) -> bytes:
    """One event that holds a JSON value."""
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


class Events(Response):
    """An answer that is a stream of events. The first one is awaited before anything is sent, so that what is refused
    until then has its own status."""

    media_type = "text/event-stream; charset=utf-8"

    def __init__(self, frames: AsyncIterator[bytes], headers: Mapping[str, str]) -> None:
        super().__init__(headers={**headers, "cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all events, or one that says why there are no more. Raises Gone where the client hangs up."""
        first = await anext(self._frames, b"")
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": first, "more_body": True})
        try:
            async for part in self._frames:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        except Gone:
            raise
        except Refused as refused:
            await self._fail(send, refused)
        except UserError:
            await self._fail(send, Refused(400, "this cannot be answered"))
        except Exception as error:
            complain(error)
            await self._fail(send, Refused(500, "the server failed on this request"))
        await send({"type": "http.response.body", "body": b""})

    async def _fail(self, send: Send, refused: Refused) -> None:
        body = error_body(refused.status, refused.message, refused.param)
        await send({"type": "http.response.body", "body": b"data: " + body + b"\n\n", "more_body": True})


def reply(value: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    """A whole answer as JSON."""
    body = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    return Response(body, headers=dict(headers), media_type="application/json")
