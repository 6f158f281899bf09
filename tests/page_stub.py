"""A small server that speaks the server's contract to the page: what is asked says what it answers."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from dragoman.serve.page import PAGE, PAGE_FILE, send_page
from tests.browsing import Browser
from tests.listening import answering

__all__ = ["DONE", "PASSAGES", "Stub", "ask", "served", "use"]

DONE = "document.querySelectorAll('.answer').length && !document.querySelector('[aria-busy=true]')"
LINEAGE = {"project": "tour", "run": "run-7", "base": "base", "data": "d41d8c", "prompt": "9f2c11", "verdict": "met"}
MODELS = [
    {
        "id": "tour-chat",
        "task": "chat",
        "run": "run-7",
        "base": "base",
        "verdict": "met",
        "chat": True,
        "sources": False,
    },
    {"id": "base", "task": "write", "run": "", "base": "base", "verdict": "", "chat": True, "sources": False},
    {"id": "manual", "task": "ask", "run": "run-9", "base": "", "verdict": "met", "chat": True, "sources": True},
    {
        "id": "mood",
        "task": "classify",
        "run": "run-3",
        "base": "",
        "verdict": "not met",
        "chat": False,
        "sources": False,
    },
    {"id": "names", "task": "tag", "run": "run-4", "base": "", "verdict": "met", "chat": False, "sources": False},
    {"id": "near", "task": "embed", "run": "", "base": "", "verdict": "", "chat": False, "sources": False},
]
LABELS = {"mood": ["sad", "glad", "neither"], "names": ["O", "B-PER", "I-PER", "B-LOC"]}
PASSAGES = [
    {
        "number": 1,
        "source": "manual.pdf",
        "page": 3,
        "path": ["Tour", "Wheels"],
        "text": "\U0001f697 A wheel has five bolts. Tighten them crosswise.",
        "start": 900,
        "end": 948,
        "score": 0.91,
    },
    {
        "number": 2,
        "source": "notes.md",
        "page": None,
        "path": ["Tools"],
        "text": "Use a long lever.",
        "start": 0,
        "end": 17,
        "score": 0.4,
    },
]


class Stub:
    """What the page asked for, and what it is answered."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, Any]] = []
        self.feedback: list[dict[str, Any]] = []
        self.kept: dict[str, dict[str, Any]] = {}
        self.keeps = True
        self.stores = True
        self.key = ""
        self.busy = 0
        "how many of the next requests are turned away with 429"
        self.cut = 0
        "how many streams were cut off by the page"
        self.answers: dict[str, str] = {}
        "what is answered to a question; to every other one a fixed text"
        self.passages = PASSAGES
        self.pace = 0.0
        "seconds between two pieces"
        self.count = 0

    def app(self) -> Starlette:
        """The application."""
        posts = {
            "/v1/chat/completions": self.write,
            "/v1/completions": self.write,
            "/v1/ask": self.ask,
            "/v1/classify": self.label,
            "/v1/tag": self.label,
            "/v1/embeddings": self.embed,
            "/v1/feedback": self.judge,
        }
        return Starlette(
            routes=[
                Route(PAGE, send_page),
                Route(PAGE_FILE, send_page),
                Route("/v1/models", self.models),
                Route("/v1/conversations", self.conversations),
                Route("/v1/conversations/{id}", self.conversation, methods=["GET", "PUT", "DELETE"]),
                *[Route(path, act, methods=["POST"]) for path, act in posts.items()],
            ]
        )

    async def read(self, request: Request) -> Any:
        """The body of a request."""
        body = json.loads(await request.body())
        self.bodies.append((request.url.path, body))
        return body

    def refused(self, request: Request) -> Response | None:
        """Why a request is turned away, if it is."""
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return failed(401, "a key is needed: send it as Authorization: Bearer KEY")
        if self.busy and request.method == "POST":
            self.busy -= 1
            return failed(429, "too many requests wait", {"Retry-After": "1"})
        return None

    def headers(self) -> dict[str, str]:
        """What every answer carries."""
        self.count += 1
        return {"X-Request-Id": f"req-{self.count:04d}", "X-Dragoman-Lineage": json.dumps(LINEAGE)}

    async def models(self, request: Request) -> Response:
        """The list of models."""
        rows = [
            {
                "id": one["id"],
                "object": "model",
                "created": 1,
                "owned_by": "dragoman",
                "dragoman": {**one, "labels": LABELS.get(str(one["id"]), [])},
            }
            for one in MODELS
        ]
        return self.refused(request) or JSONResponse({"object": "list", "data": rows})

    async def write(self, request: Request) -> Response:
        """A stream of a chat or of a text that is gone on with."""
        if no := self.refused(request):
            return no
        body = await self.read(request)
        chat = "messages" in body
        question = body["messages"][-1]["content"] if chat else body["prompt"]
        text = self.answers.get(question, f"You said *{question}*.")
        pieces = [text[at : at + 7] for at in range(0, len(text), 7)]

        async def stream() -> AsyncIterator[str]:
            try:
                for piece in pieces:
                    choice = {"index": 0, "delta": {"content": piece}} if chat else {"index": 0, "text": piece}
                    yield event({"id": "x", "choices": [{**choice, "finish_reason": None}]})
                    await asyncio.sleep(self.pace)
                if question == "break":
                    yield event({"error": {"message": "the model failed in the middle", "type": "server_error"}})
                    return
                yield event({"id": "x", "choices": [{"index": 0, "delta": {}, "text": "", "finish_reason": "stop"}]})
                yield event(
                    {
                        "id": "x",
                        "choices": [],
                        "usage": {
                            "prompt_tokens": 9,
                            "completion_tokens": len(pieces),
                            "total_tokens": 9 + len(pieces),
                        },
                    }
                )
                yield "data: [DONE]\r\n\r\n"
            except asyncio.CancelledError:
                self.cut += 1
                raise

        return StreamingResponse(stream(), media_type="text/event-stream", headers=self.headers())

    async def ask(self, request: Request) -> Response:
        """An answer with its sources: one delta, then the whole of it."""
        if no := self.refused(request):
            return no
        body = await self.read(request)
        text = self.answers.get(body["question"], "A wheel has five bolts [1]. Use a long lever [2].")
        whole = {
            "id": "ask-1",
            "model": body["model"],
            "answer": text,
            "refused": "not in" in text,
            "citations": [{"number": 1, "start": 2, "end": 24}, {"number": 2, "start": 0, "end": 0}],
            "passages": self.passages,
            "lineage": LINEAGE,
        }
        parts = [event({"delta": text}), event(whole), "data: [DONE]\n\n"]
        return StreamingResponse(iter(parts), media_type="text/event-stream", headers=self.headers())

    async def label(self, request: Request) -> Response:
        """Labels of a text, or a tag for each word."""
        if no := self.refused(request):
            return no
        body = await self.read(request)
        if request.url.path == "/v1/tag":
            tags = {"Ada": "B-PER", "Lovelace": "I-PER", "London": "B-LOC"}
            found = [tags.get(word.strip(".,"), "O") for word in body["inputs"][0].split(" ")]
            return JSONResponse({"results": [{"tags": found}]}, headers=self.headers())
        scores = {"sad": 0.07, "glad": 0.91, "neither": 0.02}
        result = {"label": "glad", "labels": ["glad"], "score": 0.91, "scores": scores}
        return JSONResponse({"run": "run-3", "model": "mood", "results": [result]}, headers=self.headers())

    async def embed(self, request: Request) -> Response:
        """A vector for each text: how often it has each of three letters."""
        body = await self.read(request)
        rows = [
            {"index": place, "embedding": [text.count(one) + 0.1 for one in "aei"]}
            for place, text in enumerate(body["input"])
        ]
        return JSONResponse({"data": rows, "usage": {"prompt_tokens": 3}}, headers=self.headers())

    async def judge(self, request: Request) -> Response:
        """Feedback, stored or refused."""
        if no := self.refused(request):
            return no
        body = await self.read(request)
        if not self.stores:
            return failed(404, "there is no answer of that id")
        self.feedback.append(body)
        return JSONResponse({"id": body["id"], "stored": True})

    async def conversations(self, request: Request) -> Response:
        """The list of conversations; 404 where none are kept."""
        if no := self.refused(request):
            return no
        if not self.keeps:
            return failed(404, "there is no such route")
        rows = [
            {"id": name, "title": one["title"], "updated": 1_750_000_000 + place}
            for place, (name, one) in enumerate(self.kept.items())
        ]
        return JSONResponse({"data": rows})

    async def conversation(self, request: Request) -> Response:
        """One conversation: read, written, deleted."""
        name = request.path_params["id"]
        if no := self.refused(request):
            return no
        if request.method == "PUT":
            self.kept[name] = await self.read(request)
        elif name not in self.kept:
            return failed(404, "there is no conversation of that id")
        elif request.method == "DELETE":
            del self.kept[name]
        return JSONResponse({"id": name, **self.kept.get(name, {})})


def event(value: Any) -> str:
    """One server-sent event."""
    return f"data: {json.dumps(value)}\r\n\r\n"


def failed(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """An error in the shape of the server."""
    return JSONResponse({"error": {"message": message, "type": "x", "param": None, "code": None}}, status, headers)


@contextmanager
def served(stub: Stub) -> Iterator[str]:
    """The stub on a free port of this machine, and its address."""
    config = uvicorn.Config(stub.app(), log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    with answering(uvicorn.Server(config)) as url:
        yield url


def use(page: Browser, model: str) -> None:
    """Choose a model."""
    script = f"one => {{ one.value = {json.dumps(model)}; one.dispatchEvent(new Event('change')); }}"
    page.run(f"({script})(document.getElementById('model'))")


def ask(page: Browser, question: str, wait: bool = True) -> None:
    """Write a question and press Enter."""
    page.run("document.getElementById('say').focus()")
    page.type(question)
    page.press("Enter", 13)
    page.until("document.querySelectorAll('.turn').length && document.getElementById('say').value === ''")
    if wait:
        page.until(DONE)
