"""One written answer on its way: trimmed as it comes, refused where a step refuses, and ended with a word."""

import asyncio
import concurrent.futures
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from dragoman.app.assistant import Assistant
from dragoman.app.refusal import refused
from dragoman.app.steps.write import Write
from dragoman.app.turn import Turn
from dragoman.core.doors import LM
from dragoman.core.engine import Asked, Piece
from dragoman.serve.budgets import Budgets
from dragoman.serve.context import Context, Record
from dragoman.serve.journal import Journal, Policy
from dragoman.serve.journal_read import read
from dragoman.serve.keys import Key
from dragoman.serve.limits import Limits
from dragoman.serve.meters import Meters
from dragoman.serve.refused import Refused
from dragoman.serve.scheduler import Scheduler
from dragoman.serve.served import Catalogue, Lineage, Served
from dragoman.serve.writing import LONG, Trim, pieces_of
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


@dataclass
class Told:
    """A ticket whose pieces are known; its engine alone counts the prompt, and says so with the last one."""

    pieces: list[Piece]
    prompt_tokens: int = 0
    answers: int = 1

    async def __aiter__(self) -> AsyncIterator[list[Piece]]:
        for piece in self.pieces:
            self.prompt_tokens = max(self.prompt_tokens, piece.read)
            yield [piece]


def heard(pieces: list[Piece], budget: int = 0) -> tuple[Record, Context]:
    """The record of an answer in these pieces, to a key with a budget a minute."""
    served = Served("x", "chat", Lineage())
    key = Key("0" * 64, "alice", (), 0, budget, 0)
    context = Context(Catalogue([served]), Limits(), Meters("x"), budgets=Budgets())
    record = Record("req-1", PATH, key, served, time.monotonic())

    async def hear() -> None:
        ticket: Any = Told(pieces)
        context.reserve(record, ticket.prompt_tokens)
        async for _ in pieces_of(context, record, ticket, trimmed=False):
            pass

    asyncio.run(hear())
    return record, context


def test_a_prompt_that_only_the_engine_counts_is_paid_for() -> None:
    pieces = [Piece(1, 0, "a", (), 1), Piece(1, 0, "b", (), 1, "stop", read=7)]
    record, context = heard(pieces, 100)
    assert (record.read, record.written, record.answer) == (7, 2, "ab")
    assert record.key is not None and context.budgets is not None
    assert context.budgets.left(record.key).tokens_per_minute == 100 - 7 - 2
    with pytest.raises(Refused) as refusal:
        heard(pieces, 8)
    assert refusal.value.status == 429


@pytest.mark.parametrize(("fault", "status"), [(400, 400), (413, 400), (422, 400), (429, 503), (401, 500), (0, 500)])
def test_whose_mistake_it_is_that_an_engine_behind_refuses(fault: int, status: int) -> None:
    with pytest.raises(Refused) as refusal:
        heard([Piece(1, finish="error", problem="canary", fault=fault)])
    assert refusal.value.status == status
    assert bool(refusal.value.retry_after) is (status == 503)
    assert "canary" not in refusal.value.message


def test_a_stream_that_breaks_is_written_down_and_counted(running: list[Running], tmp_path: Path) -> None:
    engine = Scripted(pause=0.005)
    running.append(server := server_of(engine))
    journal = server.app.state.context.journal = Journal(tmp_path / "j.sqlite", Policy())
    journal.start()
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            given = pool.submit(post, server, "a b c d e " * 10, stream=True)
            server.wait(lambda: engine.steps > 2)
            engine.breaks = "a b"
            assert given.result().status_code == 200
        counted = f'dragoman_requests_total{{route="{PATH}",status="500"}} 1.0'
        server.wait(lambda: counted in server.get("/metrics").text)
    finally:
        server.app.state.context.journal = None
        journal.stop()
    (entry,) = [one.entry for one in read(tmp_path / "j.sqlite")]
    assert (entry.status, entry.written > 0, entry.answer.startswith("a b")) == (500, True, True)
