"""POST /v1/ask: a question is answered from documents, with the passages that the answer stands on."""

import json
from collections.abc import AsyncGenerator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dragoman.app.turn import Turn
from dragoman.core.types import Message
from dragoman.serve.asked import MODEL, messages_of
from dragoman.serve.chat import turn_of
from dragoman.serve.context import Context, Record, told
from dragoman.serve.events import DONE, Events, frame, reply
from dragoman.serve.fields import Fields
from dragoman.serve.refused import Refused

__all__ = ["ask"]


async def ask(context: Context, request: Request) -> Response:
    """Answer one question. Raises Refused and Gone."""
    body = await context.body(request)
    record = context.begin(request, body.get("model"))
    if not record.served.sources or record.served.worker is None:
        raise Refused(400, "this model has no documents: GET /v1/models says which have", param="model")
    fields = Fields(body)
    fields.text("model", MODEL)
    question = fields.text("question", context.limits.characters)
    if not question.strip():
        raise fields.wrong("question", "is missing")
    before = messages_of(fields, "messages", context.limits) if fields.any("messages") else ()
    stream = fields.flag("stream")
    fields.done(("user", "metadata"))
    messages = (*before, Message("user", question))
    record.prompt = told(messages)
    turn = await turn_of(context, request, record, messages)
    value = _value(record, turn)
    if not stream:
        await context.keep(record)
        return reply(value, context.headers(record))

    async def frames() -> AsyncGenerator[bytes, None]:
        """A checked answer comes whole."""
        yield frame({"delta": turn.answer.text})
        await context.keep(record)
        yield frame(value) + DONE

    return Events(frames(), context.headers(record))


def _value(record: Record, turn: Turn) -> dict[str, Any]:
    passages = [
        {
            "number": one.number,
            "source": one.chunk.source,
            "page": one.chunk.page or None,
            "path": list(one.chunk.path),
            "text": one.chunk.text,
            "start": one.chunk.start,
            "end": one.chunk.end,
            "score": float(one.score),
        }
        for one in turn.passages
    ]
    cited = [{"number": one.number, "start": one.start, "end": one.end} for one in turn.citations]
    return {
        "id": f"ask-{record.token}",
        "model": record.served.name,
        "answer": turn.answer.text,
        "refused": turn.refused,
        "citations": cited,
        "passages": passages,
        "lineage": json.loads(record.served.lineage.header),
    }
