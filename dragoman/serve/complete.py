"""POST /v1/completions: texts are gone on with, without a chat template."""

import json
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dragoman.core.sampling import Token
from dragoman.core.types import Message
from dragoman.serve.asked import MODEL
from dragoman.serve.chat import usage
from dragoman.serve.context import Context, Record
from dragoman.serve.drawing import IGNORED, Drawn, drawn
from dragoman.serve.events import DONE, Events, frame, reply
from dragoman.serve.fields import Fields
from dragoman.serve.gathered import Gathered
from dragoman.serve.limits import Limits
from dragoman.serve.refused import Refused
from dragoman.serve.writing import judged_of, pieces_of, ticket_for

__all__ = ["complete"]

PROMPTS = 16


async def complete(context: Context, request: Request) -> Response:
    """Answer one request. Raises Refused and Gone."""
    body = await context.body(request)
    record = context.begin(request, body.get("model"))
    if record.served.scheduler is None or record.served.assistant is not None:
        raise Refused(400, "this model is no plain one: ask it by /v1/chat/completions", param="model")
    prompts, written = _read(body, record, context.limits)
    record.prompt = json.dumps(prompts, ensure_ascii=False)
    headers = context.headers(record, written.as_judged)
    if written.stream:
        return Events(_frames(context, request, record, prompts[0], written), headers)
    choices: list[dict[str, Any]] = []
    reused = read = 0
    for prompt in prompts:
        record.before = len(choices)
        made = await _written(context, request, record, prompt, written)
        reused, read = reused + made.reused, read + record.read
        for index in range(written.how.n):
            told = _logprobs(made.tokens[index], written.top) if written.logprobs else None
            one = {"text": made.said[index], "logprobs": told, "finish_reason": made.finish[index]}
            choices.append({"index": len(choices), **one})
    record.read = read
    await context.keep(record)
    return reply(_head(record) | {"choices": choices, "usage": usage(record, reused)}, headers)


def _read(body: dict[str, Any], record: Record, limits: Limits) -> tuple[tuple[str, ...], Drawn]:
    fields = Fields(body)
    fields.text("model", MODEL)
    prompts = fields.texts("prompt", PROMPTS, limits.prompt_characters)
    if not prompts:
        raise fields.wrong("prompt", "is missing, or is no text")
    if fields.flag("echo"):
        raise fields.wrong("echo", "is not possible here")
    if fields.any("suffix") or fields.integer("best_of", 1, limits.answers, 1) > 1:
        raise fields.wrong("suffix" if fields.any("suffix") else "best_of", "is not possible here")
    top = fields.any("logprobs")
    logprobs = -1 if top is None else fields.integer("logprobs", 0, 20, 0)
    written = drawn(fields, judged_of(record), limits, logprobs)
    fields.done(IGNORED)
    if written.stream and len(prompts) > 1:
        raise fields.wrong("prompt", "is several texts, and one can be streamed")
    return prompts, written


async def _written(context: Context, request: Request, record: Record, prompt: str, written: Drawn) -> Gathered:
    made = Gathered(written.how.n)
    message = (Message("user", prompt),)
    async with ticket_for(context, record, request, message, written.how, raw=True) as ticket:
        async for pieces in pieces_of(context, record, ticket, trimmed=False):
            made.take(pieces)
    return made


async def _frames(
    context: Context, request: Request, record: Record, prompt: str, written: Drawn
) -> AsyncGenerator[bytes, None]:
    head = _head(record) | ({"usage": None} if written.usage else {})
    reused, behind = 0, [0] * written.how.n
    "how many characters of tokens were told of each answer"
    message = (Message("user", prompt),)
    async with ticket_for(context, record, request, message, written.how, raw=True) as ticket:
        async for pieces in pieces_of(context, record, ticket, trimmed=False):
            out = []
            for piece in pieces:
                reused += piece.reused
                if piece.text or piece.tokens or piece.finish:
                    at = behind[piece.index]
                    told = _logprobs(piece.tokens, written.top, at) if written.logprobs and piece.tokens else None
                    behind[piece.index] += sum(len(token.text) for token in piece.tokens)
                    one = {"index": piece.index, "text": piece.text, "logprobs": told}
                    out.append(frame({**head, "choices": [{**one, "finish_reason": piece.finish or None}]}))
            if out:
                yield b"".join(out)
    await context.keep(record)
    end = frame({**head, "choices": [], "usage": usage(record, reused)}) if written.usage else b""
    yield end + DONE


def _head(record: Record) -> dict[str, Any]:
    made = int(time.time())
    return {"id": f"cmpl-{record.token}", "object": "text_completion", "created": made, "model": record.served.name}


def _logprobs(tokens: Sequence[Token], top: int, at: int = 0) -> dict[str, Any]:
    """What is told of tokens, of which the first one begins at character `at` of its answer.

    Of alternatives that read alike, as parts of characters do, the most probable one is told.
    """
    offsets = []
    for token in tokens:
        offsets.append(at)
        at += len(token.text)
    return {
        "tokens": [token.text for token in tokens],
        "token_logprobs": [min(0.0, token.logprob) for token in tokens],
        "top_logprobs": [{text: min(0.0, chance) for text, chance in reversed(token.top[:top])} for token in tokens],
        "text_offset": offsets,
    }
