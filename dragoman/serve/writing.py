"""One written answer on its way: its pieces as they come, counted, paid for, and stopped where nobody listens."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from starlette.requests import Request

from dragoman.app.opening import open_answer
from dragoman.core.engine import Piece
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.serve.context import Context, Record, hung_up
from dragoman.serve.gathered import check_pieces
from dragoman.serve.refused import Refused
from dragoman.serve.scheduler import Ticket

__all__ = ["Trim", "judged_of", "opened", "pieces_of", "ticket_for"]

LONG = 8_192  # characters of a prompt that take some 10 ms to be turned into tokens


@dataclass
class Trim:
    """Takes the white space off both ends of a text that comes in pieces, as a judged answer has none."""

    begun: bool = False
    held: str = ""

    def push(self, text: str) -> str:
        """What of it may be shown now."""
        text = self.held + (text if self.begun else text.lstrip())
        shown = text.rstrip()
        self.begun, self.held = self.begun or bool(shown), text[len(shown) :]
        return shown


@asynccontextmanager
async def ticket_for(
    context: Context, record: Record, request: Request, prompt: Sequence[Message], how: Sampling, raw: bool = False
) -> AsyncIterator[Ticket]:
    """The place of a request with the engine of its model, for as long as the block runs and the client listens.

    Raises Refused: 400 where it cannot be answered, 429 where there is no room or no budget.
    """
    scheduler = record.served.scheduler
    assert scheduler is not None
    key, adapter = record.key.name if record.key else "", record.served.adapter
    long = sum(len(message.content) for message in prompt) > LONG or bool(how.json_schema or how.regex or how.choices)
    try:
        if long:
            ticket = await scheduler.enter(prompt, how, adapter=adapter, raw=raw, key=key)
        else:
            ticket = scheduler.submit(prompt, how, adapter=adapter, raw=raw, key=key)
    except UserError as error:
        raise _mistake(error, how, raw) from None
    gone = asyncio.create_task(_watch(request, ticket))
    try:
        context.reserve(record, ticket.prompt_tokens)
        yield ticket
    finally:
        gone.cancel()
        ticket.cancel()


async def pieces_of(context: Context, record: Record, ticket: Ticket, trimmed: bool) -> AsyncIterator[list[Piece]]:
    """The pieces of an answer, a step or a few at a time. Raises Refused and Gone, and ends the answer with them."""
    trims = [Trim() for _ in range(ticket.answers)] if trimmed else []
    async for pieces in ticket:
        check_pieces(pieces)
        if trims:
            pieces = [_shorter(piece, trims[piece.index]) for piece in pieces]
        count = sum(piece.count for piece in pieces)
        late = max(0, ticket.prompt_tokens - record.read)  # of a prompt whose tokens only the engine counts
        record.read += late
        for piece in pieces:
            record.hear(piece.text, piece.count, piece.index)
        context.charge(record, count + late)
        yield pieces


def judged_of(record: Record) -> Sampling:
    """How the model of a request writes where the request says nothing: as it was judged. One that nobody judged draws
    anew each time."""
    written = record.served.written
    return written if record.served.assistant is not None else replace(written, seed=secrets.randbits(62))


async def opened(record: Record, messages: Sequence[Message]) -> tuple[Sequence[Message], str | None]:
    """What the model of a request is given for a dialogue, and what is said where an assistant refuses to answer.

    An assistant's own steps come first: what was judged with an instruction is served with it.
    """
    assistant = record.served.assistant
    if assistant is None:
        return messages, None
    opening = await asyncio.to_thread(open_answer, assistant, messages)  # a step may read documents or embed
    assert opening is not None
    record.refused = opening.turn.refused
    if not record.refused:
        return opening.turn.prompt, None
    record.hear(opening.turn.answer.text, 0)
    return opening.turn.prompt, opening.turn.answer.text


def _shorter(piece: Piece, trim: Trim) -> Piece:
    return replace(piece, text=trim.push(piece.text))


async def _watch(request: Request, ticket: Ticket) -> None:
    await hung_up(request)
    ticket.hang_up()


def _mistake(error: UserError, how: Sampling, raw: bool) -> Refused:
    """What is said of a request that the engine cannot answer. What the client sent is not said again."""
    if how.json_schema:
        return Refused(400, "the schema of the answer cannot be kept", param="response_format")
    if how.regex or how.choices:
        name = "regex" if how.regex else "choices"
        return Refused(400, f"what {name} asks for cannot be kept", param=name)
    if error.problem.startswith("logit_bias"):
        return Refused(400, "logit_bias names a token that this model does not have", param="logit_bias")
    param = "prompt" if raw else "messages"
    if error.problem.startswith("the prompt has"):  # OpenAI's code for it: clients shorten the dialogue and try again
        return Refused(400, error.problem, param=param, code="context_length_exceeded")
    return Refused(400, error.problem, param=param)
