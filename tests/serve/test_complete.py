"""Texts are gone on with: streamed is whole, tokens stand where they say, and what cannot be done is refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dragoman.serve.journal import Journal, Policy
from dragoman.serve.journal_read import read
from tests.serve.conftest import Running, launched
from tests.serve.writing import writing_context

ASKED = {"prompt": "the hill", "max_tokens": 8, "temperature": 0, "logprobs": 2}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = launched(writing_context(tmp_path_factory.mktemp("complete") / "tiny"))
    yield running
    running.stop()


def post(server: Running, **body: Any) -> httpx.Response:
    return httpx.post(f"{server.url}/v1/completions", json={**ASKED, **body}, timeout=30, trust_env=False)


def test_a_stream_is_the_whole_text_and_its_tokens_stand_where_they_say(server: Running) -> None:
    whole = post(server).json()
    given = post(server, stream=True, stream_options={"include_usage": True})
    lines = [line.removeprefix("data: ") for line in given.text.split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    events = [json.loads(line) for line in lines]
    choices = [event["choices"][0] for event in events[:-1]]
    (one,) = whole["choices"]
    assert "".join(choice["text"] for choice in choices) == one["text"]
    assert [choice["finish_reason"] for choice in choices] == [None] * (len(choices) - 1) + [one["finish_reason"]]
    for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
        assert [x for choice in choices if choice["logprobs"] for x in choice["logprobs"][name]] == one["logprobs"][
            name
        ]
    places = one["logprobs"]["text_offset"]
    assert places[0] == 0
    assert all(
        later - place == len(token)
        for place, later, token in zip(places, places[1:], one["logprobs"]["tokens"], strict=False)
    )
    assert all(1 <= len(top) <= 2 for top in one["logprobs"]["top_logprobs"])
    assert {event["id"] for event in events} == {events[0]["id"]}
    assert events[-1]["choices"] == []
    assert events[-1]["usage"]["completion_tokens"] == whole["usage"]["completion_tokens"] == 8


def test_several_texts_are_each_gone_on_with(server: Running) -> None:
    both = post(server, prompt=["the hill", "a tin"]).json()
    alone = [post(server, prompt=text).json() for text in ("the hill", "a tin")]
    assert [one["text"] for one in both["choices"]] == [one["choices"][0]["text"] for one in alone]
    assert [one["index"] for one in both["choices"]] == [0, 1]
    assert both["usage"]["total_tokens"] == sum(one["usage"]["total_tokens"] for one in alone)
    drawn = post(server, temperature=1.3, n=3, seed=1, logprobs=None).json()["choices"]
    assert len({one["text"] for one in drawn}) > 1
    assert drawn[0]["logprobs"] is None
    assert post(server, logprobs=0).json()["choices"][0]["logprobs"]["top_logprobs"] == [{}] * 8


def test_a_model_that_nobody_judged_draws_anew(server: Running) -> None:
    asked = {"temperature": 1.3, "max_tokens": 12, "logprobs": None}
    assert len({post(server, **asked).json()["choices"][0]["text"] for _ in range(4)}) > 1
    assert len({post(server, seed=5, **asked).json()["choices"][0]["text"] for _ in range(3)}) == 1


@pytest.mark.parametrize(
    ("change", "param", "status"),
    [
        ({"prompt": None}, "prompt", 400),
        ({"prompt": ""}, "prompt", 400),
        ({"prompt": []}, "prompt", 400),
        ({"prompt": [1, 2]}, "prompt[0]", 400),
        ({"prompt": ["a"] * 17}, "prompt", 413),
        ({"prompt": ["a", "b"], "stream": True}, "prompt", 400),
        ({"echo": True}, "echo", 400),
        ({"suffix": "x"}, "suffix", 400),
        ({"best_of": 2}, "best_of", 400),
        ({"logprobs": 21}, "logprobs", 400),
        ({"messages": []}, "messages", 400),
        ({"prompt": "hill " * 1200}, "prompt", 400),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_done_is_refused(server: Running, change: dict[str, Any], param: str, status: int) -> None:
    given = post(server, **change)
    assert given.status_code == status
    assert given.json()["error"]["param"] == param
    long = change.get("prompt", "") == "hill " * 1200
    assert (given.json()["error"]["code"] == "context_length_exceeded") is long


def test_all_that_was_written_is_kept(server: Running, tmp_path: Path) -> None:
    context = server.app.state.context
    context.journal = Journal(tmp_path / "j.sqlite", Policy())
    context.journal.start()
    try:
        whole = post(server, prompt=["the hill", "a tin"], n=2, temperature=1.0, seed=1).json()
    finally:
        context.journal.stop()
        context.journal = None
    ((kept),) = [one.entry for one in read(tmp_path / "j.sqlite")]
    assert json.loads(kept.answer) == [one["text"] for one in whole["choices"]]
    assert json.loads(kept.prompt) == ["the hill", "a tin"]
