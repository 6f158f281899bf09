"""POST /v1/chat/completions: a dialogue is answered, whole or as it is written."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dragoman.app.steps.guard import guard_hits
from dragoman.app.turn import Turn
from dragoman.core.doors import WritingLM
from dragoman.core.engine import Piece
from dragoman.core.errors import UserError
from dragoman.core.sampling import Token
from dragoman.core.tools import Call, calls_in
from dragoman.serve.asked import Chat, read_chat
from dragoman.serve.context import Context, Record, told
from dragoman.serve.events import DONE, HOLE, Events, Stencil, frame, reply
from dragoman.serve.gathered import Gathered
from dragoman.serve.refused import Refused
from dragoman.serve.writing import judged_of, opened, pieces_of, ticket_for

__all__ = ["chat", "turn_of", "usage"]

OPENED = ("{", "[")


async def chat(context: Context, request: Request) -> Response:
    """Answer one request. Raises Refused and Gone."""
    body = await context.body(request)
    record = context.begin(request, body.get("model"))
    served = record.served
    if (served.scheduler is None and served.worker is None) or served.task in ("classify", "tag", "embed"):
        raise Refused(400, "this model does not talk: GET /v1/models says what each one is for", param="model")
    asked = read_chat(body, judged_of(record), context.limits)
    record.prompt = told(asked.messages)
    if served.worker is not None:
        return await _judged(context, request, record, asked)
    if asked.written.stream:
        return Events(_frames(context, request, record, asked), context.headers(record, asked.written.as_judged))
    return await _whole(context, request, record, asked)


async def _whole(context: Context, request: Request, record: Record, asked: Chat) -> Response:
    n = asked.how.n
    made = Gathered(n)
    prompt, refusal = await opened(record, asked.messages)
    if refusal is not None:
        made.said = [refusal] * n
    else:
        async with ticket_for(context, record, request, prompt, asked.how) as ticket:
            async for pieces in pieces_of(context, record, ticket, record.served.assistant is not None):
                made.take(pieces)
    choices = []
    for index in range(n):
        calls = _called(asked, made.said[index])
        message: dict[str, Any] = {"role": "assistant", "content": None if calls else made.said[index], "refusal": None}
        if calls:
            message["tool_calls"] = _calls(record, calls, index)
        told_of = (
            {"content": _tokens(made.tokens[index], asked.written.top), "refusal": None}
            if asked.written.logprobs
            else None
        )
        why = "tool_calls" if calls else made.finish[index]
        choices.append({"index": index, "message": message, "logprobs": told_of, "finish_reason": why})
    await context.keep(record)
    value = _head(record, "chat.completion") | {"choices": choices, "usage": usage(record, made.reused)}
    return reply(value, context.headers(record, asked.written.as_judged))


async def _frames(context: Context, request: Request, record: Record, asked: Chat) -> AsyncGenerator[bytes, None]:
    """The events of a stream: the role first, then what is written, then why it ended, then what it took."""
    head = _head(record, "chat.completion.chunk") | ({"usage": None} if asked.written.usage else {})
    prompt, refusal = await opened(record, asked.messages)
    stencils = [Stencil(_chunk(head, index, {"content": HOLE})) for index in range(asked.how.n)]
    held = [_Held(not asked.tools) for _ in range(asked.how.n)]
    reused = 0
    if refusal is not None:
        for index, stencil in enumerate(stencils):
            yield frame(_chunk(head, index, _ROLE)) + stencil.fill(refusal) + frame(_chunk(head, index, {}, "stop"))
    else:
        async with ticket_for(context, record, request, prompt, asked.how) as ticket:
            begun = False
            async for pieces in pieces_of(context, record, ticket, record.served.assistant is not None):
                reused += sum(piece.reused for piece in pieces)
                out = [] if begun else [frame(_chunk(head, index, _ROLE)) for index in range(asked.how.n)]
                begun = True
                for piece in pieces:
                    out += _pieces(head, record, asked, piece, held[piece.index], stencils[piece.index])
                if out:
                    yield b"".join(out)
    await context.keep(record)
    end = frame({**head, "choices": [], "usage": usage(record, reused)}) if asked.written.usage else b""
    yield end + DONE


_ROLE = {"role": "assistant", "content": None}


@dataclass
class _Held:
    """What of an answer may be a call of a tool, which goes out whole, with its tokens."""

    free: bool
    "whether it is known to be none: nothing is held any more"
    text: str = ""
    tokens: tuple[Token, ...] = ()


def _pieces(
    head: dict[str, Any], record: Record, asked: Chat, piece: Piece, held: _Held, stencil: Stencil
) -> list[bytes]:
    """The events that a piece of an answer makes."""
    index, text, tokens = piece.index, piece.text, piece.tokens
    calls: tuple[Call, ...] = ()
    if not held.free:
        text, tokens = held.text, held.tokens = held.text + text, held.tokens + tokens
        start = text.lstrip()
        if not piece.finish and (not start or start.startswith(OPENED)):
            return []
        calls = _called(asked, text) if piece.finish else ()
        held.free = True
    logprobs = {"content": _tokens(tokens, asked.written.top), "refusal": None} if asked.written.logprobs else None
    if calls:
        listed = [{"index": place, **one} for place, one in enumerate(_calls(record, calls, index))]
        told = _chunk(head, index, {"tool_calls": listed}, None, logprobs)
        return [frame(told), frame(_chunk(head, index, {}, "tool_calls"))]
    found = []
    if logprobs is not None and (text or tokens):
        found.append(frame(_chunk(head, index, {"content": text}, None, logprobs)))
    elif text:
        found.append(stencil.fill(text))
    if piece.finish:
        found.append(frame(_chunk(head, index, {}, piece.finish)))
    return found


async def _judged(context: Context, request: Request, record: Record, asked: Chat) -> Response:
    """The answer of an assistant whose steps go on behind the writing: it is to be had whole, and as it was judged."""
    judged, how = record.served.written, asked.how
    longer = how.max_tokens >= min(judged.max_tokens, context.limits.tokens)  # a bound above its own changes nothing
    if replace(how, max_tokens=judged.max_tokens, n=judged.n) != judged or how.n > 1 or not (longer and asked.plain):
        said = "this assistant answers as it was judged: leave out what says how tokens are drawn"
        raise Refused(400, said)
    turn = await turn_of(context, request, record, asked.messages)
    headers = context.headers(record)
    if not asked.written.stream:
        message = {"role": "assistant", "content": turn.answer.text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": turn.answer.finish or "stop"}
        await context.keep(record)
        return reply(_head(record, "chat.completion") | {"choices": [choice], "usage": usage(record, 0)}, headers)

    async def frames() -> AsyncGenerator[bytes, None]:
        head = _head(record, "chat.completion.chunk") | ({"usage": None} if asked.written.usage else {})
        yield frame(_chunk(head, 0, _ROLE)) + frame(_chunk(head, 0, {"content": turn.answer.text}))
        await context.keep(record)
        end = frame({**head, "choices": [], "usage": usage(record, 0)}) if asked.written.usage else b""
        yield frame(_chunk(head, 0, {}, turn.answer.finish or "stop")) + end + DONE

    return Events(frames(), headers)


async def turn_of(context: Context, request: Request, record: Record, messages: Sequence[Any]) -> Turn:
    """What an assistant makes of a dialogue, noted in the record. Raises Refused and Gone."""
    await _reserve(context, record, messages)
    turn: Turn = (await context.answered(request, record.served, [tuple(messages)]))[0]
    if turn.answer.finish == "refused" and not turn.answer.text:
        raise Refused(400, "the prompt is longer than the model reads", param="messages")
    record.refused, record.guard_hits = turn.refused, sum(guard_hits(turn.trace).values())
    record.hear(turn.answer.text, turn.answer.tokens)
    late = max(0, turn.answer.read - record.read)  # what steps put around the dialogue: passages, instructions
    record.read += late
    context.charge(record, turn.answer.tokens + late)
    return turn


async def _reserve(context: Context, record: Record, messages: Sequence[Any]) -> None:
    """Count what a model that writes reads of a dialogue, before it does. Raises Refused (429, 413)."""
    lm = record.served.assistant.lm if record.served.assistant is not None else None
    if isinstance(lm, WritingLM):
        with contextlib.suppress(UserError):  # the steps may make more of it; if not, they say what is wrong
            context.reserve(record, len(await asyncio.to_thread(lm.ids, tuple(messages))))


def usage(record: Record, reused: int) -> dict[str, Any]:
    """How many tokens a request took."""
    total = {"prompt_tokens": record.read, "completion_tokens": record.written}
    return {**total, "total_tokens": record.read + record.written, "prompt_tokens_details": {"cached_tokens": reused}}


def _head(record: Record, kind: str) -> dict[str, Any]:
    made = int(time.time())
    return {"id": f"chatcmpl-{record.token}", "object": kind, "created": made, "model": record.served.name}


def _chunk(
    head: dict[str, Any], index: int, delta: dict[str, Any], finish: str | None = None, logprobs: Any = None
) -> dict[str, Any]:
    return {**head, "choices": [{"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}]}


def _called(asked: Chat, text: str) -> tuple[Call, ...]:
    """The tools that an answer calls: one where only one may be, as the request says."""
    calls = calls_in(text, asked.tools) if asked.tools else ()
    return calls if asked.several else calls[:1]


def _calls(record: Record, calls: Sequence[Call], index: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call-{record.token}-{index}-{place}",
            "type": "function",
            # In ASCII: a model may write half of a surrogate pair, which no UTF-8 holds.
            "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
        }
        for place, call in enumerate(calls)
    ]


def _tokens(tokens: Sequence[Token], top: int) -> list[dict[str, Any]]:
    return [
        {
            **_token(token.text, token.logprob),
            "top_logprobs": [_token(text, chance) for text, chance in token.top[:top]],
        }
        for token in tokens
    ]


def _token(text: str, logprob: float) -> dict[str, Any]:
    """A token that is part of a character has no text of its own, and its bytes are not told."""
    whole = None if "\ufffd" in text else list(text.encode())
    return {"token": text, "logprob": min(0.0, logprob), "bytes": whole}
