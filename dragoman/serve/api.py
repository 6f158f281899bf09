"""The HTTP API: the routes, one access table, and what starts and stops with the server."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from dragoman.serve.ask import ask
from dragoman.serve.chat import chat
from dragoman.serve.complete import complete
from dragoman.serve.context import Context
from dragoman.serve.events import reply
from dragoman.serve.guard import LOOPBACK, Guard
from dragoman.serve.kept import conversation, conversations, feedback
from dragoman.serve.label import classify, embed, tag
from dragoman.serve.page import PAGE, PAGE_FILE, send_page
from dragoman.serve.refused import error_body
from dragoman.serve.scheduler import Scheduler
from dragoman.serve.served import Served
from dragoman.serve.worker import Worker

__all__ = ["ACCESS", "build", "owners"]

# Every route there is, and what it needs once the server has keys: nothing, or a key of that scope. What is not listed
# needs a key and is not there.
ACCESS: Mapping[str, str] = MappingProxyType(
    {
        "/healthz": "open",
        "/readyz": "open",
        "/metrics": "metrics",
        PAGE: "open",
        PAGE_FILE: "open",
        "/openapi.json": "models",
        "/v1/models": "models",
        "/v1/models/{id}": "models",
        "/v1/chat/completions": "chat",
        "/v1/completions": "complete",
        "/v1/embeddings": "embed",
        "/v1/classify": "classify",
        "/v1/tag": "tag",
        "/v1/ask": "ask",
        "/v1/feedback": "feedback",
        "/v1/conversations": "history",
        "/v1/conversations/{id}": "history",
    }
)
SENTENCES = {404: "there is no such route", 405: "this route does not know that method"}
Route = Callable[[Context, Request], Awaitable[Response]]


def owners(context: Context) -> list[Scheduler | Worker]:
    """What answers requests in this server, each once."""
    found = [one for served in context.catalogue for one in (served.scheduler, served.worker) if one is not None]
    return list({id(one): one for one in found}.values())


def build(context: Context, *, hosts: Sequence[str] = LOOPBACK, addresses: bool = False, page: bool = True) -> FastAPI:
    """The server as an ASGI application.

    Without a keyring it is open, which `run.serve` allows on loopback alone. `hosts` are the names it may be called by,
    and with `addresses` any numeric address is one too.
    """

    @asynccontextmanager
    async def live(app: FastAPI) -> AsyncIterator[None]:
        if context.journal is not None:
            context.journal.start()
            context.journal.show_in(context.meters)
        if context.budgets is not None:
            context.budgets.start()
        for one in owners(context):
            one.start()
        watching = asyncio.create_task(context.adapters.watch()) if context.adapters is not None else None
        yield
        if watching is not None:
            watching.cancel()
        for one in owners(context):
            one.stop()
        if context.journal is not None:
            context.journal.stop()
        if context.spans is not None:
            context.spans.stop()

    app = FastAPI(
        title="Dragoman", docs_url=None, redoc_url=None, openapi_url=None, lifespan=live, redirect_slashes=False
    )
    for path, act in _POSTS.items():
        app.add_api_route(path, _endpoint(context, act), methods=["POST"], response_model=None)
    for path, act, methods in (
        ("/healthz", _live, ["GET"]),
        ("/readyz", _ready, ["GET"]),
        ("/metrics", _metrics, ["GET"]),
        ("/openapi.json", _described, ["GET"]),
        ("/v1/models", _models, ["GET"]),
        ("/v1/models/{id}", _model, ["GET"]),
        ("/v1/conversations", conversations, ["GET"]),
        ("/v1/conversations/{id}", conversation, ["GET", "PUT", "DELETE"]),
    ):
        app.add_api_route(path, _endpoint(context, act), methods=methods, response_model=None)
    if page:
        for path in (PAGE, PAGE_FILE):
            app.add_api_route(path, send_page, methods=["GET"], response_model=None)
    app.add_exception_handler(HTTPException, _told)
    app.add_exception_handler(RequestValidationError, _told)
    names = (*hosts, *context.limits.hosts)
    app.add_middleware(Guard, access=ACCESS, hosts=names, addresses=addresses, context=context)
    app.state.context = context
    return app


_POSTS: Mapping[str, Route] = MappingProxyType(
    {
        "/v1/chat/completions": chat,
        "/v1/completions": complete,
        "/v1/embeddings": embed,
        "/v1/classify": classify,
        "/v1/tag": tag,
        "/v1/ask": ask,
        "/v1/feedback": feedback,
    }
)


def _endpoint(context: Context, act: Route) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await act(context, request)

    return endpoint


async def _live(context: Context, request: Request) -> Response:
    live = all(one.alive for one in owners(context))
    ready = all(one.ready for one in owners(context))
    return Response(json.dumps({"live": live, "ready": ready}), 200 if live else 503, media_type="application/json")


async def _ready(context: Context, request: Request) -> Response:
    ready = all(one.ready for one in owners(context))
    return Response(json.dumps({"ready": ready}), 200 if ready else 503, media_type="application/json")


async def _metrics(context: Context, request: Request) -> Response:
    return Response(context.meters.page(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _described(context: Context, request: Request) -> Response:
    from dragoman.serve.describe import described

    return reply(described(context.limits, [one.name for one in context.catalogue]), {})


async def _models(context: Context, request: Request) -> Response:
    return reply({"object": "list", "data": [_card(one) for one in context.catalogue]}, {})


async def _model(context: Context, request: Request) -> Response:
    return reply(_card(context.catalogue.find(request.path_params["id"])), {})


def _card(served: Served) -> dict[str, Any]:
    lineage = served.lineage
    about = {
        "task": served.task,
        "run": lineage.run,
        "base": lineage.base,
        "adapter": lineage.adapter,
        "verdict": lineage.verdict,
        "labels": list(served.labels),
        "chat": served.scheduler is not None or served.task == "ask",
        "sources": served.sources,
    }
    return {"id": served.name, "object": "model", "created": served.made, "owned_by": "dragoman", "dragoman": about}


async def _told(request: Request, error: Exception) -> Response:
    """The framework's own errors in our shape, without the values that were sent."""
    status = error.status_code if isinstance(error, HTTPException) else 400
    allow = (error.headers or {}).get("Allow") if isinstance(error, HTTPException) else None
    body = error_body(status, SENTENCES.get(status, "the request is not valid"))
    return Response(body, status, {"Allow": allow} if allow else None, "application/json")
