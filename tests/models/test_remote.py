"""An engine behind an address: what is sent, what is tried again, and one message for whatever it does wrong."""

import threading
import time
from typing import Any

import numpy as np
import pytest

from dragoman.core.doors import LM
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.models.remote import RemoteLM, parse_remote
from tests.models.engine import HELLO, KEY, Engine, chat, delta, refused


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("openai:http://127.0.0.1:8000/v1#m", ("http://127.0.0.1:8000/v1", "m")),
        ("openai:https://api.example.com#org/m:7b", ("https://api.example.com/v1", "org/m:7b")),
        ("openai:http://[::1]:1/v1/#m", ("http://[::1]:1/v1", "m")),
    ],
)
def test_an_address(spec: str, expected: tuple[str, str]) -> None:
    assert parse_remote(spec) == expected


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("openai:", "not the address"),
        ("openai:ftp://host/v1#m", "not the address"),
        ("openai:http://host/v1", "names no model"),
        ("openai:http://host:99999/v1#m", "not the address"),
        ("openai:http://host/v1?key=1#m", "not the address"),
        ("openai:http://a b/v1#m", "not the address"),
        ("openai:http://me:secret@host/v1#m", "must not hold a password"),
        ("openai:http://me:secret@host:99999/v1#m", "not the address"),
        ("openai:http://host/v1?key=secret#m", "not the address"),
        ("openai:http://host/v1/secret", "names no model"),
        ("openai:http://a:1\\@b/v1#m", "not the address|password"),
    ],
)
def test_no_address(spec: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        parse_remote(spec)
    assert "secret" not in caught.value.problem + caught.value.hint


def test_it_is_a_language_model_that_connects_to_nothing_yet() -> None:
    assert isinstance(RemoteLM("http://127.0.0.1:1/v1", "m"), LM)


def test_a_key_does_not_travel_unencrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    mistake = refused(lambda: RemoteLM("http://10.0.0.7:8000/v1", "m"))
    assert "unencrypted" in mistake.problem
    assert "OPENAI_API_KEY" in mistake.hint
    assert RemoteLM("http://10.0.0.7:8000/v1", "m", allow_plain=True).model == "m"
    assert RemoteLM("https://10.0.0.7:8000/v1", "m").model == "m"
    monkeypatch.delenv("OPENAI_API_KEY")
    assert RemoteLM("http://10.0.0.7:8000/v1", "m").model == "m"


def test_a_chat(engine: Engine) -> None:
    engine.answers = [(200, chat("hello", finish="length"))]
    [said] = engine.lm().generate([HELLO], Sampling(max_tokens=9))
    assert (said.text, said.tokens, said.prompt_tokens, said.finish) == ("hello", 3, 7, "length")
    [(path, body, key)] = engine.asked
    assert path == "/v1/chat/completions"
    assert key == f"Bearer {KEY}"
    assert body == {
        "model": "m",
        "max_tokens": 9,
        "temperature": 0.0,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}],
    }


def test_every_parameter_that_is_not_the_default_is_sent(engine: Engine) -> None:
    answer = chat('{"a": 1}', '{"a": 2}')
    for choice in answer["choices"]:
        choice["logprobs"] = {"content": [{"token": "{", "logprob": -1}]}
    engine.answers = [(200, answer)]
    how = Sampling(
        temperature=0.5,
        top_k=4,
        top_p=0.9,
        min_p=0.1,
        typical_p=0.8,
        min_tokens=2,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        repetition_penalty=1.1,
        stop=("END",),
        seed=5,
        n=2,
        logprobs=2,
        logit_bias={7: -100},
        json_schema='{"type": "object"}',
    )
    assert [one.text for one in engine.lm().generate([HELLO], how)] == ['{"a": 1}', '{"a": 2}']
    body = engine.asked[0][1]
    assert {name: body[name] for name in ("top_k", "top_p", "min_p", "typical_p", "min_tokens", "seed", "n")} == {
        "top_k": 4,
        "top_p": 0.9,
        "min_p": 0.1,
        "typical_p": 0.8,
        "min_tokens": 2,
        "seed": 5,
        "n": 2,
    }
    assert (body["stop"], body["logit_bias"]) == (["END"], {"7": -100.0})
    assert (body["logprobs"], body["top_logprobs"], body["repetition_penalty"]) == (True, 2, 1.1)
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}


def test_a_raw_text_and_an_answer_begun(engine: Engine) -> None:
    engine.answers = [(200, {"choices": [{"text": " on", "finish_reason": "stop", "logprobs": None}]})]
    assert engine.lm(raw=True).generate([[Message("user", "Once up")]], Sampling())[0].text == " on"
    assert (engine.asked[0][0], engine.asked[0][1]["prompt"]) == ("/v1/completions", "Once up")
    engine.answers = [(200, chat("lo"))]
    engine.lm().generate([[*HELLO, Message("assistant", "hel")]], Sampling())
    assert engine.asked[1][1]["continue_final_message"] is True


def test_log_probabilities(engine: Engine) -> None:
    told = [{"token": "he", "logprob": -0.5, "top_logprobs": [{"token": "he", "logprob": -0.5}]}]
    answer = chat("he")
    answer["choices"][0]["logprobs"] = {"content": told}
    engine.answers = [(200, answer)]
    [token] = engine.lm().generate([HELLO], Sampling(logprobs=1))[0].logprobs
    assert (token.text, token.id, token.logprob, token.top) == ("he", -1, -0.5, (("he", -0.5),))


def test_several_prompts_at_once_and_in_order(engine: Engine) -> None:
    def slow(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        time.sleep(0.05)
        return 200, chat(body["messages"][0]["content"])

    engine.answers = [slow]
    texts = [f"prompt {number}" for number in range(9)]
    said = engine.lm(concurrency=3).generate([[Message("user", text)] for text in texts], Sampling())
    assert [one.text for one in said] == texts
    assert engine.most == 3
    assert engine.lm().generate([], Sampling()) == []


NO_ANSWERS = [
    b"[1, 2]",
    b"<html>",
    b"{}",
    b"\xff",
    b'{"choices": []}',
    b'{"choices": [1]}',
    b'{"choices": {"text": 1}}',
]


@pytest.mark.parametrize("content", NO_ANSWERS)
def test_an_answer_that_is_none(engine: Engine, content: bytes) -> None:
    engine.answers = [(200, content)]
    assert engine.url in refused(lambda: engine.lm().generate([HELLO], Sampling())).problem


ODD = [3, [], {"content": [{}]}, {"content": 1}, {"tokens": ["a"], "token_logprobs": [None]}]


@pytest.mark.parametrize("told", ODD)
def test_an_answer_with_odd_parts_is_taken_for_what_it_says(engine: Engine, told: object) -> None:
    choice = {"index": None, "message": {"content": "a"}, "finish_reason": None, "logprobs": told}
    engine.answers = [(200, {"choices": [choice], "usage": {"prompt_tokens": "7"}})]
    [said] = engine.lm().generate([HELLO], Sampling())
    assert (said.text, said.finish, said.prompt_tokens, said.logprobs) == ("a", "stop", 0, ())
    assert "told none" in refused(lambda: engine.lm().generate([HELLO], Sampling(logprobs=1))).problem
    events = [b'data: {"choices": [null]}\n', b'data: {"choices": [{"delta": 3}]}\n', delta("a", "stop")]
    engine.answers = [events]
    assert list(engine.lm().stream(HELLO, Sampling())) == ["a"]


@pytest.mark.parametrize(
    "content",
    [
        {"error": {"message": "min_p is not supported", "param": "min_p"}},
        {"object": "error", "message": "unknown field min_p"},
        {"detail": [{"loc": ["body", "min_p"], "msg": "extra fields not permitted"}]},
        {"error": "min_p is unknown"},
    ],
)
def test_a_refused_parameter_is_named_once(engine: Engine, content: dict[str, Any]) -> None:
    engine.answers = [(400, content)]
    mistake = refused(lambda: engine.lm().generate([HELLO], Sampling(temperature=1, min_p=0.1)))
    assert "refuses min_p: " in mistake.problem
    assert "leave min_p out" in mistake.hint
    assert len(engine.asked) == 1


def test_the_key_stands_in_no_message_and_no_repr(engine: Engine) -> None:
    lm = engine.lm()
    assert KEY not in repr(lm) + str(lm) + repr(vars(lm))
    for status in (400, 401, 403, 404, 500):
        engine.answers = [(status, {"error": {"message": f"bad key {KEY}"}})]
        refused(lambda: engine.lm(retries=0).generate([HELLO], Sampling()))
    engine.answers = [(200, KEY.encode())]
    refused(lambda: lm.generate([HELLO], Sampling()))


def test_what_no_engine_offers() -> None:
    lm = RemoteLM("http://127.0.0.1:1/v1", "m")
    assert "beam search" in refused(lambda: lm.generate([HELLO], Sampling(beams=2))).problem
    assert "json_schema" in refused(lambda: lm.generate([HELLO], Sampling(json_schema="{"))).problem
    assert "half a character" in refused(lambda: lm.generate([[Message("user", "\ud83d")]], Sampling())).problem


@pytest.mark.parametrize(
    "how", [Sampling(choices=("yes", "no")), Sampling(regex="[0-9]+"), Sampling(json_schema='{"type": "object"}')]
)
def test_a_shape_that_the_engine_did_not_keep_to(engine: Engine, how: Sampling) -> None:
    engine.answers = [(200, chat("perhaps"))]
    assert "did not keep to it" in refused(lambda: engine.lm().generate([HELLO], how)).problem


@pytest.mark.parametrize(
    "how", [Sampling(choices=("yes", "no")), Sampling(regex="[0-9]+"), Sampling(json_schema='{"type": "object"}')]
)
def test_a_stream_is_held_to_its_shape_at_its_end(engine: Engine, how: Sampling) -> None:
    engine.answers = [[delta("per"), delta("haps", "stop"), b"data: [DONE]\n\n"]]
    stream = engine.lm().stream(HELLO, how)
    assert [next(stream), next(stream)] == ["per", "haps"]
    assert "did not keep to it: 'perhaps'" in refused(lambda: next(stream)).problem


def test_a_stream_that_keeps_to_its_shape(engine: Engine) -> None:
    engine.answers = [[delta("4"), delta("2", "stop"), b"data: [DONE]\n\n"]]
    assert list(engine.lm().stream(HELLO, Sampling(regex="[0-9]+"))) == ["4", "2"]


def test_a_stream_in_whole_characters(engine: Engine) -> None:
    whole = b": ping\n\n" + delta("") + delta("Grü") + delta("ß\u2028e ") + delta("日本") + delta(None, "stop")
    halves = b'data: {"choices": [{"delta": {"content": "\\ud83d"}}]}\n\n' + (
        b'data: {"choices": [{"delta": {"content": "\\ude00"}}]}\n\n'
    )
    data = halves + whole + b'data: {"choices": []}\n\ndata: [DONE]\n\n'
    engine.answers = [[data[at : at + 7] for at in range(0, len(data), 7)]]
    pieces = list(engine.lm().stream(HELLO, Sampling()))
    assert "".join(pieces) == "😀Grüß\u2028e 日本"
    assert all(piece.encode("utf-8") for piece in pieces)
    assert engine.asked[0][1]["stream"] is True


def test_a_stream_that_is_cut_says_so(engine: Engine) -> None:
    for end in ([], [...]):
        engine.answers = [[delta("Hel"), *end]]
        stream = engine.lm().stream(HELLO, Sampling())
        assert next(stream) == "Hel"
        assert "cut" in refused(lambda stream=stream: next(stream)).problem


def test_a_stream_that_stops_talking(engine: Engine) -> None:
    engine.answers = [[delta("Hel"), None]]
    stream = engine.lm(time_out=0.2).stream(HELLO, Sampling())
    assert next(stream) == "Hel"
    assert "no answer within 0.2 s" in refused(lambda: next(stream)).problem


def test_an_error_inside_a_stream(engine: Engine) -> None:
    engine.answers = [[delta("Hel"), b'data: {"error": {"message": "out of memory"}}\n\n']]
    assert "out of memory" in refused(lambda: list(engine.lm().stream(HELLO, Sampling()))).problem
    engine.answers = [(400, {"error": {"message": "too long", "param": "messages"}})]
    assert "refuses messages" in refused(lambda: list(engine.lm().stream(HELLO, Sampling()))).problem


def test_cancel_wakes_who_waits(engine: Engine) -> None:
    engine.answers = [None]
    lm, ended = engine.lm(time_out=20), []

    def ask() -> None:
        try:
            lm.generate([HELLO, HELLO], Sampling())
        except Exception as error:
            ended.append(type(error).__name__)

    waiting = threading.Thread(target=ask)
    waiting.start()
    while engine.under_way < 2:
        time.sleep(0.01)
    lm.cancel()
    waiting.join(5)
    assert ended == ["Cancelled"]
    engine.answers = [(200, chat("again"))]
    assert lm.generate([HELLO], Sampling())[0].text == "again"


def echo(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """An engine that reads words; the name of a first special token stands in front; -1 for each letter."""
    tokens = ["<s>"]
    for letter in body["prompt"]:
        tokens = [*tokens, letter] if letter == " " or len(tokens) == 1 else [*tokens[:-1], tokens[-1] + letter]
    tokens.append("!")  # the one token it wrote itself
    starts = [sum(map(len, tokens[:position])) for position in range(len(tokens))]
    values = [None, *(-float(len(token)) for token in tokens[1:])]
    told = {"tokens": tokens, "token_logprobs": values, "text_offset": starts}
    return 200, {"choices": [{"text": body["prompt"] + "!", "logprobs": told}]}


def test_scores(engine: Engine) -> None:
    engine.answers = [echo]
    lm = engine.lm()
    prompts = [[Message("user", "The sky is")], [Message("user", "It")]]
    options = [" blue", " a big sea", " grün"]
    assert lm.score(prompts, options).tolist() == [[-5.0, -10.0, -5.0]] * 2
    assert lm.score(prompts, options, "token")[0].tolist() == [-5.0, -10 / 3, -5.0]
    assert np.allclose(lm.score(prompts, options, "byte")[0], [-1, -1, -5 / 6])
    assert lm.score([], options).shape == (0, 3)


@pytest.mark.parametrize(
    "answer",
    [
        (400, {"error": {"message": "echo is not supported"}}),
        (404, {"detail": "Not Found"}),
        (200, {"choices": [{"text": "!", "logprobs": None}]}),
        (200, {"choices": [{"text": "!"}]}),
    ],
)
def test_an_engine_that_cannot_score_says_so(engine: Engine, answer: Any) -> None:
    engine.answers = [answer]
    mistake = refused(lambda: engine.lm().score([HELLO], [" a"]))
    assert "log-probability" in mistake.problem
    assert "vLLM" in mistake.hint
