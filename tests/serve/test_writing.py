"""One written answer on its way: trimmed as it comes, refused where a step refuses, and ended with a word."""

import concurrent.futures
import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from dragoman.app.assistant import Assistant
from dragoman.app.refusal import refused
from dragoman.app.steps.write import Write
from dragoman.app.turn import Turn
from dragoman.core.doors import LM
from dragoman.core.engine import Asked
from dragoman.serve.context import Context
from dragoman.serve.limits import Limits
from dragoman.serve.meters import Meters
from dragoman.serve.scheduler import Scheduler
from dragoman.serve.served import Catalogue, Lineage, Served
from dragoman.serve.writing import LONG, Trim
from tests.serve.conftest import Running, launched
from tests.serve.scripted import Scripted

PATH = "/v1/chat/completions"


@dataclass(frozen=True)
class Closed:
    """Refuses questions about doors."""

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn, those about doors refused."""
        return [refused(turn, "closed: a door") if "door" in turn.question else turn for turn in turns]


@dataclass
class Slow(Scripted):
    """Takes its time to count a prompt."""

    def count(self, asked: Asked) -> int:
        time.sleep(0.5 if len(asked.prompt[-1].content) > LONG else 0)
        return super().count(asked)


def server_of(engine: Scripted, limits: Limits | None = None, assistant: Assistant | None = None) -> Running:
    bounds, meters = limits or Limits(), Meters("x")
    scheduler = Scheduler(engine, bounds, meters)
    served = Served("talks", "chat", Lineage(), scheduler=scheduler, assistant=assistant, written=Write().how)
    return launched(Context(Catalogue([served]), bounds, meters))


def post(server: Running, text: str, **body: Any) -> httpx.Response:
    asked = {"messages": [{"role": "user", "content": text}], **body}
    return httpx.post(server.url + PATH, json=asked, timeout=20, trust_env=False)


@pytest.fixture
def running() -> Iterator[list[Running]]:
    """Servers that are stopped at the end."""
    made: list[Running] = []
    yield made
    for one in made:
        one.stop()


@pytest.mark.parametrize("pieces", [["  a ", " b", "  "], ["", " ", "a"], ["\n\n"], ["a", "b "], ["a ", " ", " ", "b"]])
def test_a_text_is_trimmed_as_it_comes(pieces: list[str]) -> None:
    trim = Trim()
    assert "".join(trim.push(piece) for piece in pieces) == "".join(pieces).strip()


def test_what_a_step_refuses_is_said_and_the_model_is_not_asked(running: list[Running]) -> None:
    engine = Scripted()
    running.append(server := server_of(engine, assistant=Assistant(engine, (Closed(), Write()))))  # type: ignore[arg-type]
    whole = post(server, "open the door").json()
    said = whole["choices"][0]["message"]["content"]
    assert said
    assert whole["choices"][0]["finish_reason"] == "stop"
    events = post(server, "open the door", stream=True).text.split("\n\n")
    pieces = [json.loads(line.removeprefix("data: "))["choices"][0]["delta"] for line in events[:-2]]
    assert "".join(one.get("content") or "" for one in pieces) == said
    assert engine.asked == []
    assert post(server, "open the window").json()["choices"][0]["message"]["content"] == "open the window"


def test_a_stream_that_a_stop_cuts_off_says_so(running: list[Running]) -> None:
    engine = Scripted(pause=0.02)
    server = server_of(engine, Limits(drain_seconds=0.3))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        given = pool.submit(post, server, "a b c " * 10, stream=True)
        server.wait(lambda: engine.steps > 2)
        engine.gate.clear()
        server.server.should_exit = True
        text = given.result().text
    engine.gate.set()
    server.thread.join(10)
    last = json.loads([line for line in text.split("\n\n") if line][-1].removeprefix("data: "))
    assert last["error"]["type"] == "server_error"
    assert "[DONE]" not in text


def test_an_engine_that_breaks_midway_says_so(running: list[Running]) -> None:
    engine = Scripted(pause=0.01)
    running.append(server := server_of(engine))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        given = pool.submit(post, server, "a b c d e " * 10, stream=True)
        server.wait(lambda: engine.steps > 2)
        engine.breaks = "a b"
        assert '"server_error"' in given.result().text
    engine.breaks = ""
    assert post(server, "a b").status_code == 200


def test_a_long_prompt_keeps_nobody_waiting(running: list[Running]) -> None:
    running.append(server := server_of(Slow(longest=10**6)))
    long = threading.Thread(target=post, args=(server, "word " * LONG), kwargs={"max_tokens": 1})
    long.start()
    time.sleep(0.15)
    assert post(server, "a b").status_code == 200
    assert long.is_alive(), "the short one was answered while the long one was still read"
    long.join()


def test_a_model_that_nobody_judged_has_another_seed_each_time(running: list[Running]) -> None:
    engine = Scripted()
    running.append(server := server_of(engine))
    for body in ({}, {}, {"seed": 5}, {"temperature": 1}):
        post(server, "a", **body)
    seeds = [one.how.seed for one in engine.asked]
    assert seeds[2] == 5
    assert len(set(seeds)) == 4
    judged = Scripted()
    assistant = Assistant(judged, (Write(),))  # type: ignore[arg-type]
    running.append(server := server_of(judged, assistant=assistant))
    post(server, "a")
    assert judged.asked[0].how == Write().how
