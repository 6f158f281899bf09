"""What people leave behind: POST /v1/feedback on an answer, and their conversations under /v1/conversations."""

import json
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dragoman.serve.context import Context
from dragoman.serve.events import reply
from dragoman.serve.fields import Fields
from dragoman.serve.journal import Journal
from dragoman.serve.refused import Refused

__all__ = ["conversation", "conversations", "feedback"]

ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
CORRECTION, COMMENT, TITLE, HISTORY = 100_000, 4_000, 300, 400_000
NO_JOURNAL = "this server keeps no journal"


async def feedback(context: Context, request: Request) -> Response:
    """Keep what somebody thinks of an answer; it is on the disk when this returns. Raises Refused."""
    journal = _journal(context)
    fields = Fields(await context.body(request))
    name = fields.text("id", 128)
    thumb = {"up": 1, "down": -1, "": None}[fields.choice("thumb", ("up", "down"), "")]
    correction, comment = fields.text("correction", CORRECTION), fields.text("comment", COMMENT)
    fields.done()
    if thumb is None and not correction and not comment:
        raise fields.wrong("thumb", "is missing, and so are correction and comment")
    if not await journal.note(name, _owner(context, request), thumb, correction, comment):
        raise Refused(404, "there is no answer of that id for this key", param="id")
    context.meters.judge(thumb, bool(correction))
    return reply({"id": name, "stored": True}, {})


async def conversations(context: Context, request: Request) -> Response:
    """The conversations of who asks, the newest first. Raises Refused (404) where none are kept."""
    held = await _journal(context).conversations(_owner(context, request))
    return reply({"data": [{"id": one.id, "title": one.title, "updated": int(one.updated)} for one in held]}, {})


async def conversation(context: Context, request: Request) -> Response:
    """Read one, store it whole, or delete it for good. Raises Refused."""
    journal, owner, name = _journal(context), _owner(context, request), request.path_params["id"]
    if not ID.fullmatch(name):
        raise Refused(404, "there is no such conversation")
    if request.method == "DELETE":
        if not await journal.drop_conversation(owner, name):
            raise Refused(404, "there is no such conversation")
        return reply({"id": name, "deleted": True}, {})
    if request.method == "PUT":
        fields = Fields(await context.body(request))
        title, model = fields.text("title", TITLE), fields.text("model", 256)
        messages = _messages(fields)
        fields.done()
        held = await journal.put_conversation(owner, name, title, messages, model)
        return reply({"id": name, "updated": int(held.updated)}, {})
    found = await journal.conversation(owner, name)
    if found is None:
        raise Refused(404, "there is no such conversation")
    value = {"id": name, "title": found.title, "updated": int(found.updated), "model": found.model}
    return reply(value | {"messages": json.loads(found.messages)}, {})


def _messages(fields: Fields) -> str:
    """The messages as they are stored. Raises Refused where one is none, or they are too many."""
    value: Any = fields.any("messages")
    if not isinstance(value, list) or len(value) > 2000:
        raise fields.wrong("messages", "is not a list of messages")
    for place, one in enumerate(value):
        inner = Fields(one, f"messages[{place}]")
        inner.choice("role", ("system", "user", "assistant"), "user")
        inner.text("content", HISTORY)
        inner.text("id", 128)
        inner.done()
    text = json.dumps(value, ensure_ascii=False)
    if len(text) > HISTORY:
        raise fields.wrong("messages", f"has more than {HISTORY} characters", 413)
    return text


def _journal(context: Context) -> Journal:
    if context.journal is None:
        raise Refused(404, NO_JOURNAL)
    return context.journal


def _owner(context: Context, request: Request) -> str:
    key = context.key(request)
    return key.name if key else ""
