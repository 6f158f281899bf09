"""POST /v1/classify, /v1/tag and /v1/embeddings: texts are read at once, and each gets its labels, tags or vector."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from dragoman.app.turn import Turn
from dragoman.core.doors import Embedder
from dragoman.core.errors import UserError
from dragoman.core.types import Answer
from dragoman.serve.asked import MODEL
from dragoman.serve.context import Context, Record
from dragoman.serve.drawing import IGNORED
from dragoman.serve.events import reply
from dragoman.serve.fields import Fields
from dragoman.serve.limits import Limits
from dragoman.serve.refused import Refused

__all__ = ["Vectors", "classify", "embed", "result", "tag", "texts_of"]


async def classify(context: Context, request: Request) -> Response:
    """The label of each text, and the probability of every label. Raises Refused and Gone."""
    return await _labelled(context, request, "classify")


async def tag(context: Context, request: Request) -> Response:
    """A tag for each word of each text; words are what stands between white space. Raises Refused and Gone."""
    return await _labelled(context, request, "tag")


async def _labelled(context: Context, request: Request, task: str) -> Response:
    body = await context.body(request)
    record = context.begin(request, body.get("model"))
    if record.served.task != task or record.served.worker is None:
        raise Refused(400, f"this model is not for {task}: GET /v1/models says what each one is for", param="model")
    texts = texts_of(body, context.limits)
    record.prompt = json.dumps(texts, ensure_ascii=False)
    turns: list[Turn] = await context.answered(request, record.served, texts)
    if task == "classify":
        results = [result(turn.answer, record.served.labels) for turn in turns]
    else:
        results = [{"words": turn.question.split(), "tags": list(turn.answer.labels)} for turn in turns]
    record.hear(json.dumps(results, ensure_ascii=False), 0)
    await context.keep(record)
    name = record.served.name
    told = {"id": record.id, "run": record.served.lineage.run or name, "model": name, "results": results}
    return reply(told, context.headers(record) | {"X-Dragoman-Run": record.served.lineage.run or name})


def texts_of(body: dict[str, Any], limits: Limits) -> tuple[str, ...]:
    """The texts of a body, one or several. Raises Refused (400, 413)."""
    fields = Fields(body)
    fields.text("model", MODEL)
    one, many = fields.any("input"), fields.any("inputs")
    if (one is None) == (many is None):
        raise Refused(400, 'the body has either input, a text, or inputs, a list of texts: {"input": "..."}')
    name = "input" if many is None else "inputs"
    if name == "input" and not isinstance(one, str):
        raise fields.wrong("input", "is not a text")
    if name == "inputs" and not isinstance(many, list):
        raise fields.wrong("inputs", "is not a list")
    texts = fields.texts(name, limits.texts, limits.characters)
    if not texts:
        raise fields.wrong(name, "is empty")
    for place, text in enumerate(texts):
        if not text.strip():
            raise fields.wrong(f"inputs[{place}]" if many is not None else "input", "is empty")
    fields.done()
    return texts


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


async def embed(context: Context, request: Request) -> Response:
    """A vector of length 1 for each text. Raises Refused and Gone."""
    body = await context.body(request)
    record = context.begin(request, body.get("model"))
    if record.served.task != "embed" or record.served.worker is None:
        raise Refused(400, "this model does not embed: GET /v1/models says what each one is for", param="model")
    fields = Fields(body)
    fields.text("model", MODEL)
    texts = fields.texts("input", context.limits.texts, context.limits.characters)
    if not texts:
        raise fields.wrong("input", "is missing, or is no text")
    form = fields.choice("encoding_format", ("float", "base64"), "float")
    wanted = fields.integer("dimensions", 1, 65_536, 0)
    fields.done(IGNORED)
    record.prompt = json.dumps(texts, ensure_ascii=False)
    read = _count(record, texts)
    context.reserve(record, read)  # before anything is read
    vectors = [np.asarray(one, dtype=np.float32) for one in await context.answered(request, record.served, texts)]
    if wanted and wanted != len(vectors[0]):
        raise fields.wrong("dimensions", f"cannot be changed: this model has {len(vectors[0])}")
    await context.keep(record)
    data = [
        {"object": "embedding", "index": place, "embedding": _vector(one, form)} for place, one in enumerate(vectors)
    ]
    told = {"object": "list", "data": data, "model": record.served.name}
    return reply(told | {"usage": {"prompt_tokens": read, "total_tokens": read}}, context.headers(record))


@dataclass(frozen=True)
class Vectors:
    """An embedder behind a worker: texts of many requests are embedded together."""

    embedder: Embedder

    def answer(self, questions: Sequence[Any]) -> Sequence[Any]:
        """One vector a text. Raises UserError where one is longer than is read: its end would not count."""
        cut = getattr(self.embedder, "cut", None)
        if cut is not None and cut(questions):
            raise UserError("a text is longer than the model reads", "cut it in pieces")
        return list(self.embedder.embed(questions))


def _vector(vector: np.ndarray[Any, Any], form: str) -> Any:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode() if form == "base64" else vector.tolist()


def _count(record: Record, texts: Sequence[str]) -> int:
    """The tokens that were read; 0 where the embedder cannot say."""
    count = getattr(record.served.embedder, "count", None)
    return sum(count(text) for text in texts) if count is not None else 0
