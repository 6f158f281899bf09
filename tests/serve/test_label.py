"""Texts become vectors and tags: in both forms the same, read together, and never cut without a word."""

import base64
import concurrent.futures
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import pytest

from dragoman.app.turn import Turn
from dragoman.core.types import Answer
from dragoman.serve.context import Context, Record
from dragoman.serve.label import Vectors
from dragoman.serve.limits import Limits
from dragoman.serve.meters import Meters
from dragoman.serve.refused import Refused
from dragoman.serve.served import Catalogue, Lineage, Served
from dragoman.serve.worker import Worker
from tests.serve.conftest import Running, launched


@dataclass
class Lengths:
    """Embeds a text by its length; reads at most nine words."""

    batches: list[int] = field(default_factory=list)

    def embed(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        self.batches.append(len(texts))
        angle = np.array([len(text) / 100 for text in texts])
        return np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)

    def cut(self, texts: Sequence[str]) -> int:
        return sum(len(text.split()) > 9 for text in texts)

    def count(self, text: str) -> int:
        return len(text.split())


class Tags:
    """Tags each word by its length."""

    def answer(self, questions: Sequence[Any]) -> list[Turn]:
        return [Turn(text, answer=Answer("", tuple(str(len(word)) for word in text.split()))) for text in questions]


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    limits, meters, lengths = Limits(), Meters("x"), Lengths()
    embeds = Served("embeds", "embed", Lineage(), worker=Worker(Vectors(lengths), limits, meters), embedder=lengths)
    tags = Served("tags", "tag", Lineage(run="tags-1"), worker=Worker(Tags(), limits, meters, "tags"))
    running = launched(Context(Catalogue([embeds, tags]), limits, meters))
    yield running
    running.stop()


def embed(server: Running, **body: Any) -> httpx.Response:
    return httpx.post(f"{server.url}/v1/embeddings", json=body, timeout=20, trust_env=False)


def test_numbers_and_base64_are_the_same(server: Running) -> None:
    plain = embed(server, input=["a", "b b"], dimensions=2).json()
    packed = embed(server, input=["a", "b b"], encoding_format="base64").json()
    assert [one["index"] for one in plain["data"]] == [0, 1]
    for one, other in zip(plain["data"], packed["data"], strict=True):
        assert np.frombuffer(base64.b64decode(other["embedding"]), "<f4").tolist() == one["embedding"]
    assert plain["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


def test_a_text_that_would_be_cut_is_refused_alone(server: Running) -> None:
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        given = list(pool.map(lambda words: embed(server, input="w " * words).status_code, (1, 9, 10, 30, 2, 3)))
    assert given == [200, 200, 400, 400, 200, 200]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": []}, "input"),
        ({"input": [[1, 2]]}, "input[0]"),
        ({"input": [5]}, "input[0]"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": "a", "dimensions": 3}, "dimensions"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format"),
        ({"input": "a", "model": "tags"}, "model"),
        ({"input": "a", "other": 1}, "other"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(server: Running, body: dict[str, Any], param: str) -> None:
    given = embed(server, **body)
    assert given.status_code == 400
    assert given.json()["error"]["param"] == param


def test_each_word_has_its_tag(server: Running) -> None:
    body = {"model": "tags", "inputs": ["a bb", " ccc "]}
    given = httpx.post(f"{server.url}/v1/tag", json=body, trust_env=False)
    assert given.json()["results"] == [{"words": ["a", "bb"], "tags": ["1", "2"]}, {"words": ["ccc"], "tags": ["3"]}]
    assert httpx.post(f"{server.url}/v1/classify", json=body, trust_env=False).status_code == 400


def test_texts_are_paid_for_before_they_are_read(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def reserve(self: Context, record: Record, tokens: int) -> None:
        raise Refused(429, f"{tokens} are too many")

    monkeypatch.setattr(Context, "reserve", reserve)
    read = list(server.app.state.context.catalogue.find("embeds").embedder.batches)
    given = embed(server, input=["a", "b b"])
    assert given.status_code == 429
    assert given.json()["error"]["message"] == "3 are too many"
    assert server.app.state.context.catalogue.find("embeds").embedder.batches == read
