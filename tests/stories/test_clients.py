"""The clients that programs already have work unchanged: OpenAI's own, and LangChain's."""

import asyncio
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dragoman.models.open import open_embedder
from dragoman.serve.label import Vectors
from dragoman.serve.served import Lineage, Served
from dragoman.serve.worker import Worker
from tests.serve.conftest import Running, launched
from tests.serve.writing import writing_context

openai = pytest.importorskip("openai")
MESSAGES = [{"role": "user", "content": "the hill"}]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    context = writing_context(tmp_path_factory.mktemp("clients") / "tiny")
    embedder = open_embedder("builtin:minilm", device="cpu", precision="fp32")
    worker = Worker(Vectors(embedder), context.limits, context.meters, "minilm")
    context.catalogue.put(Served("minilm", "embed", Lineage(), worker=worker, embedder=embedder))
    running = launched(context)
    yield running
    running.stop()


@pytest.fixture
def client(server: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as one:
        yield one


def test_openai_talks_whole_and_in_pieces(client: Any) -> None:
    whole = client.chat.completions.create(model="tiny", messages=MESSAGES, temperature=0, max_tokens=9)
    assert whole.choices[0].message.content
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    pieces = client.chat.completions.create(
        model="tiny",
        messages=MESSAGES,
        temperature=0,
        max_tokens=9,
        stream=True,
        stream_options={"include_usage": True},
    )
    events = list(pieces)
    said = "".join(one.choices[0].delta.content or "" for one in events if one.choices)
    assert said == whole.choices[0].message.content
    assert events[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert [one.id for one in client.models.list()] == ["tiny", "minilm"]
    assert client.models.retrieve("tiny").owned_by == "dragoman"
    assert client.chat.completions.create(
        model="tiny", messages=MESSAGES, extra_body={"top_k": 3, "min_p": 0.1}, temperature=1, seed=2, max_tokens=2
    )


def test_openai_goes_on_with_a_text_and_embeds(client: Any) -> None:
    asked = {"model": "tiny", "max_tokens": 4, "temperature": 0}
    done = client.completions.create(prompt=["the hill", "a tin"], logprobs=2, **asked)
    assert len(done.choices) == 2
    assert len(done.choices[0].logprobs.tokens) == len(done.choices[0].logprobs.token_logprobs)
    streamed = client.completions.create(prompt="the hill", stream=True, **asked)
    assert "".join(one.choices[0].text for one in streamed) == done.choices[0].text
    made = client.embeddings.create(model="minilm", input=["hello", "goodbye"])  # base64 by default
    plain = client.embeddings.create(model="minilm", input="hello", encoding_format="float")
    assert np.allclose(made.data[0].embedding, plain.data[0].embedding, atol=1e-5)
    assert abs(float(np.linalg.norm(made.data[1].embedding)) - 1) < 1e-4
    assert plain.usage.prompt_tokens >= 1


def test_openai_knows_what_went_wrong(client: Any) -> None:
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="nobody", messages=MESSAGES)
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(model="tiny", messages=MESSAGES, temperature=9)
    assert error.value.param == "temperature"
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="minilm", messages=MESSAGES)
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model="tiny", input="x")


def test_openai_asks_from_an_event_loop(server: Running, client: Any) -> None:
    async def several() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any") as one:
            found = await asyncio.gather(
                *(
                    one.chat.completions.create(model="tiny", messages=MESSAGES, temperature=0, max_tokens=9)
                    for _ in range(6)
                )
            )
        return [each.choices[0].message.content for each in found]

    assert len(set(asyncio.run(several()))) == 1


def test_langchain_talks_and_embeds(server: Running, client: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        langchain = pytest.importorskip("langchain_openai")
        place = {"base_url": f"{server.url}/v1", "api_key": "any"}
        chat = langchain.ChatOpenAI(model="tiny", max_tokens=9, temperature=0, **place)
        said = chat.invoke("the hill")
        assert said.content
        assert "".join(str(piece.content) for piece in chat.stream("the hill")) == said.content
        assert said.usage_metadata["output_tokens"] == 9
        embeddings = langchain.OpenAIEmbeddings(model="minilm", check_embedding_ctx_length=False, **place)
        assert len(embeddings.embed_query("hello")) == 384
