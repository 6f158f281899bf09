"""The way to an engine: which tries are repeated, how long anything takes, and whose words an error is told in."""

import time
from typing import Any

import pytest

from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.models.remote import RemoteLM
from dragoman.models.wire import is_loopback
from tests.models.engine import HELLO, Engine, chat, refused


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.0.1", "::1"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["127.evil.example", "127.0.0.1.example", "10.0.0.7", "localhost.example", "", "::2"])
def test_another_machine(host: str) -> None:
    assert not is_loopback(host)


def test_too_many_requests_are_made_again_when_the_engine_says(engine: Engine) -> None:
    engine.answers = [(429, {"error": {"message": "slow down"}}, {"retry-after": "0.3"}), (200, chat("hello"))]
    begun = time.monotonic()
    assert engine.lm().generate([HELLO], Sampling())[0].text == "hello"
    assert time.monotonic() - begun >= 0.3
    assert len(engine.asked) == 2


def test_an_engine_that_stays_broken(engine: Engine) -> None:
    engine.answers = [(503, b"<h1>no\x1b[31m upstream</h1>")]
    mistake = refused(lambda: engine.lm(retries=2).generate([HELLO], Sampling()))
    assert "after 3 tries" in mistake.problem
    assert "503" in mistake.problem
    assert "\x1b" not in mistake.problem
    assert len(engine.asked) == 3


def test_the_whole_time_is_bounded(engine: Engine) -> None:
    engine.answers = [(503, b"no", {"retry-after": "30"})]
    begun = time.monotonic()
    refused(lambda: engine.lm(total=1.0).generate([HELLO], Sampling()))
    assert time.monotonic() - begun < 1


def test_nobody_is_there() -> None:
    mistake = refused(lambda: RemoteLM("http://127.0.0.1:1/v1", "m", retries=0).generate([HELLO], Sampling()))
    assert "no connection" in mistake.problem


def test_an_engine_that_is_too_slow(engine: Engine) -> None:
    engine.answers = [None]
    mistake = refused(lambda: engine.lm(time_out=0.2, retries=1).generate([HELLO], Sampling()))
    assert "no answer within 0.2 s" in mistake.problem
    assert len(engine.asked) == 2


def test_an_error_that_calls_itself_an_answer(engine: Engine) -> None:
    engine.answers = [(200, {"error": {"message": "the model is loading"}})]
    assert "the model is loading" in refused(lambda: engine.lm().generate([HELLO], Sampling())).problem
    engine.answers = [(200, {**chat("hello"), "error": None})]
    assert engine.lm().generate([HELLO], Sampling())[0].text == "hello"


def test_no_error_in_a_stream_is_none(engine: Engine) -> None:
    piece = b'data: {"error": null, "choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}\n\n'
    engine.answers = [[piece, b"data: [DONE]\n\n"]]
    assert list(engine.lm().stream(HELLO, Sampling())) == ["a"]


def test_json_nested_too_deeply_is_none(engine: Engine) -> None:
    engine.answers = [(200, b"[" * 200_000)]
    assert "no JSON" in refused(lambda: engine.lm().generate([HELLO], Sampling())).problem
    engine.answers = [[b"data: " + b"[" * 200_000 + b"\n\n"]]
    assert "no JSON" in refused(lambda: list(engine.lm().stream(HELLO, Sampling()))).problem


def test_the_first_that_fails_in_time_ends_the_others(engine: Engine) -> None:
    def answer(body: dict[str, Any]) -> Any:
        if body["messages"][0]["content"] == "bad":
            return 400, {"error": {"message": "too long"}}
        engine.release.wait(10)
        return 200, chat("late")

    engine.answers = [answer]
    asked = [[Message("user", text)] for text in ("slow", "bad", "slow", "slow", "slow")]
    assert "too long" in refused(lambda: engine.lm(concurrency=2, time_out=20).generate(asked, Sampling())).problem
    assert len(engine.asked) <= 3  # had the slow ones been waited for, all five would have been asked


def test_the_words_of_an_error_have_a_deadline(engine: Engine) -> None:
    def drip(to: Any) -> None:
        to.send_response(400)
        to.send_header("content-length", "100000")
        to.end_headers()
        to.close_connection = True
        for _ in range(40):
            to.wfile.write(b"no! ")
            to.wfile.flush()
            time.sleep(0.05)

    engine.raw = drip
    begun = time.monotonic()
    assert "no!" in refused(lambda: engine.lm(time_out=0.3, retries=0).generate([HELLO], Sampling())).problem
    assert time.monotonic() - begun < 1.5
