"""What every route of a server shares: its models, its bounds, its journal, and who is asking."""

import asyncio
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from dragoman.core.types import Message
from dragoman.serve.adapters import AdapterFolder
from dragoman.serve.body import Held, parse, read
from dragoman.serve.budgets import Budgets
from dragoman.serve.canary import Canary
from dragoman.serve.journal import Entry, Journal
from dragoman.serve.keys import Key, Keyring
from dragoman.serve.limits import Limits
from dragoman.serve.meters import Meters
from dragoman.serve.refused import Gone, Refused
from dragoman.serve.served import Catalogue, Served
from dragoman.serve.spans import Spans
from dragoman.serve.worker import Job

__all__ = ["Context", "Record", "hung_up", "told"]


@dataclass
class Record:
    """One request on its way into the journal."""

    id: str
    route: str
    key: Key | None
    served: Served
    began: float
    arm: str = ""
    prompt: str = ""
    said: dict[int, list[str]] = field(default_factory=dict)
    "the pieces of each answer"
    before: int = 0
    "how many answers belong to earlier prompts of the same request"
    refused: bool = False
    read: int = 0
    written: int = 0
    first: float = 0.0
    guard_hits: int = 0
    parent: str = ""
    "the header traceparent of the request"
    kept: bool = False

    @property
    def token(self) -> str:
        """What stands behind the dash of every id of this request."""
        return self.id.partition("-")[2]

    @property
    def answer(self) -> str:
        """What was written: the text of the one answer, a JSON list of texts where there are several."""
        texts = ["".join(self.said[index]) for index in sorted(self.said)]
        return json.dumps(texts, ensure_ascii=False) if len(texts) > 1 else "".join(texts)

    def hear(self, text: str, tokens: int, index: int = 0) -> None:
        """Something was written, of which answer to the prompt at hand."""
        self.first = self.first or time.monotonic() - self.began
        self.said.setdefault(self.before + index, []).append(text)
        self.written += tokens


@dataclass
class Context:
    """A running server."""

    catalogue: Catalogue
    limits: Limits
    meters: Meters
    journal: Journal | None = None
    keyring: Keyring | None = None
    budgets: Budgets | None = None
    canary: Canary | None = None
    adapters: AdapterFolder | None = None
    spans: Spans | None = None
    held: Held = field(default_factory=Held)

    async def body(self, request: Request) -> dict[str, Any]:
        """The body of a request, as the JSON object that it has to be. Raises Refused and Gone."""
        return parse(await read(request, self.limits, self.held), self.limits)

    def key(self, request: Request) -> Key | None:
        """Who asks; nobody in particular on a server without keys."""
        found: Key | None = request.scope.get("dragoman.key")
        return found

    def begin(self, request: Request, model: Any) -> Record:
        """A record of this request to the model that it names; the first one where that is None.

        Raises Refused: 404 where there is no such model, 400 where the name is no text.
        """
        if model is not None and not isinstance(model, str):
            raise Refused(400, "model is not a text", param="model")
        served, arm = self.catalogue.find(model or ""), ""
        key, token = self.key(request), str(request.scope.get("dragoman.token") or secrets.token_hex(12))
        if self.canary is not None:
            talk = request.headers.get("x-dragoman-conversation", "") or token
            arm = self.canary.arm(served.name, key.name if key else "", talk)
            served = self.catalogue.find(arm) if arm else served
        record = Record(f"req-{token}", request.url.path, key, served, time.monotonic(), arm)
        record.parent = request.headers.get("traceparent", "")
        request.scope["dragoman.record"] = record  # where it fails, the guard writes it down
        return record

    def headers(self, record: Record, as_judged: bool = True) -> dict[str, str]:
        """What every answer carries."""
        return {
            "X-Request-Id": record.id,
            "X-Dragoman-Lineage": record.served.lineage.header,
            "X-Dragoman-As-Judged": "true" if as_judged else "false",
        }

    async def keep(self, record: Record, status: int = 200) -> None:
        """Write a request down; when this returns it survives a kill. Raises Refused where the journal is strict."""
        record.kept = True
        self.meters.keep(record.route, record.refused, record.guard_hits, record.written)
        if self.journal is None and self.spans is None:
            return
        entry = _entry(record, status)
        if self.spans is not None:
            self.spans.tell(entry, record.parent)
        if self.journal is not None:
            await self.journal.keep(entry)

    def reserve(self, record: Record, tokens: int) -> None:
        """Count the tokens of a prompt. Raises Refused (429, 413)."""
        record.read = tokens
        if self.budgets is not None and record.key is not None:
            self.budgets.reserve(record.key, tokens)

    def charge(self, record: Record, tokens: int) -> None:
        """Count written tokens. Raises Refused: 429 past the budget, 401 where the key was revoked meanwhile."""
        if record.key is None:
            return
        if self.keyring is not None and not self.keyring.holds(record.key):
            raise Refused(401, "this key opens nothing any more")
        if self.budgets is not None and tokens:
            self.budgets.charge(record.key, tokens)

    async def answered(self, request: Request, served: Served, questions: Sequence[Any]) -> list[Any]:
        """What the assistant of a model says to each question. Raises Refused, and Gone where the client hangs up."""
        worker = served.worker
        assert worker is not None
        job = worker.submit(questions)
        try:
            return await _first(job, request)
        finally:
            worker.drop(job)


def _entry(record: Record, status: int) -> Entry:
    seconds = time.monotonic() - record.began
    return Entry(
        id=record.id,
        at=time.time() - seconds,
        key=record.key.name if record.key else "",
        route=record.route,
        model=record.served.name,
        lineage=record.served.lineage.header,
        status=status,
        prompt=record.prompt,
        answer=record.answer,
        refused=record.refused,
        read=record.read,
        written=record.written,
        first=record.first,
        seconds=seconds,
        guard_hits=record.guard_hits,
        arm=record.arm,
    )


async def _first(job: Job, request: Request) -> list[Any]:
    gone = asyncio.create_task(hung_up(request))
    left = max(0.0, job.deadline - time.monotonic())
    ends: set[asyncio.Future[Any]] = {job.promise, gone}
    try:
        done, _ = await asyncio.wait(ends, timeout=left, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
    if job.promise in done:
        return job.promise.result()
    if gone in done:
        raise Gone
    if job.taken:
        raise Refused(504, "the model took too long")
    raise Refused(503, "the request waited too long", 1)


async def hung_up(request: Request) -> None:
    """Return once the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def told(messages: Sequence[Message]) -> str:
    """Messages as the journal keeps them."""
    return json.dumps([{"role": one.role, "content": one.content} for one in messages], ensure_ascii=False)
