"""The HTTP API of a judged classifier: three routes, one access table."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from dragoman.app.assistant import Assistant
from dragoman.core.types import Answer
from dragoman.serve.body import Held, parse, read
from dragoman.serve.guard import CLASSIFY, LOOPBACK, Guard
from dragoman.serve.limits import Limits
from dragoman.serve.meters import Meters
from dragoman.serve.refused import Gone, Refused, error_body
from dragoman.serve.worker import Job, Worker

__all__ = ["ACCESS", "build", "result"]

# Every route there is, and what it needs once the server has keys. What is not listed needs a key and is not there.
ACCESS = {"/healthz": "open", "/metrics": "key", CLASSIFY: "key"}
SENTENCES = {404: "there is no such route", 405: "this route does not know that method"}


def build(
    assistant: Assistant,
    *,
    run: str,
    labels: Sequence[str],
    limits: Limits,
    key_hashes: Sequence[str] = (),
    model: str = "",
    hosts: Sequence[str] = LOOPBACK,
    addresses: bool = False,
) -> FastAPI:
    """The server as an ASGI application.

    Every answer carries `run`, the id of the run that is served. `key_hashes` are SHA-256 hashes of the keys that open
    it; without any it is open, which `run.serve` allows on loopback alone. `hosts` are the names it may be called by,
    and with `addresses` any numeric address is one too.
    """
    meters = Meters(run)
    worker = Worker(assistant, limits, meters)
    held = Held()

    @asynccontextmanager
    async def live(app: FastAPI) -> AsyncIterator[None]:
        worker.start()
        yield
        worker.stop()

    async def classify(request: Request) -> Response:
        texts = parse(await read(request, limits, held), limits)
        answers = await _wait(worker, worker.submit(texts), request)
        results = [result(answer, labels) for answer in answers]
        body = json.dumps({"run": run, "model": model or run, "results": results}, ensure_ascii=False, allow_nan=False)
        return Response(body.encode(), media_type="application/json", headers={"X-Dragoman-Run": quote(run)})

    async def health() -> Response:
        body = json.dumps({"live": True, "ready": worker.ready})
        return Response(body, 200 if worker.ready else 503, media_type="application/json")

    async def metrics() -> Response:
        return Response(meters.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    app = FastAPI(
        title="Dragoman", docs_url=None, redoc_url=None, openapi_url=None, lifespan=live, redirect_slashes=False
    )
    app.add_api_route(CLASSIFY, classify, methods=["POST"], response_model=None)
    app.add_api_route("/healthz", health, methods=["GET"], response_model=None)
    app.add_api_route("/metrics", metrics, methods=["GET"], response_model=None)
    app.add_exception_handler(HTTPException, _told)
    app.add_exception_handler(RequestValidationError, _told)
    names = (*hosts, *limits.hosts)
    app.add_middleware(
        Guard, access=ACCESS, hosts=names, addresses=addresses, key_hashes=key_hashes, meters=meters, worker=worker
    )
    app.state.worker = worker
    return app


async def _told(request: Request, error: Exception) -> Response:
    """The framework's own errors in our shape, without the values that were sent."""
    status = error.status_code if isinstance(error, HTTPException) else 400
    allow = (error.headers or {}).get("Allow") if isinstance(error, HTTPException) else None
    body = error_body(status, SENTENCES.get(status, "the request is not valid"))
    return Response(body, status, {"Allow": allow} if allow else None, "application/json")


async def _wait(worker: Worker, job: Job, request: Request) -> list[Answer]:
    """The answers of a job. Raises Gone when the client hangs up and Refused when time is up; both free its place."""
    hangs_up = asyncio.create_task(_hung_up(request))
    left = max(0.0, job.deadline - time.monotonic())
    ends: set[asyncio.Future[Any]] = {job.promise, hangs_up}
    try:
        done, _ = await asyncio.wait(ends, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if job.promise in done:
            return job.promise.result()
        if hangs_up in done:
            raise Gone
        if job.taken:
            raise Refused(504, "the model took too long")
        raise Refused(503, "the request waited too long", 1)
    finally:
        hangs_up.cancel()
        worker.drop(job)


async def _hung_up(request: Request) -> None:
    """Return once the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def result(answer: Answer, labels: Sequence[str]) -> dict[str, Any]:
    """One answer as it is sent: the likeliest label that holds, all that hold, and the probability of every label."""
    ordered = [
        *(label for label in labels if label in answer.scores),
        *(one for one in answer.scores if one not in labels),
    ]
    scores = {label: float(answer.scores[label]) for label in ordered}
    chosen = answer.labels or ((answer.text,) if answer.text in scores else ())
    label = max(chosen, key=lambda one: scores.get(one, 0.0), default=None)
    return {"label": label, "labels": list(chosen), "score": scores.get(label or ""), "scores": scores}
