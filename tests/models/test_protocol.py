"""What is said to an engine of OpenAI's protocol and what it answers (tests/models/test_remote.py holds the rest)."""

from dataclasses import replace
from typing import Any

import pytest

from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.models.protocol import Speech, objects, text_of, tokens_of, whole
from dragoman.models.wire import Refused

SPEECH = Speech("http://127.0.0.1:1/v1", "m", False, "OPENAI_API_KEY")
HELLO = [Message("user", "one"), Message("user", "two")]


def test_a_chat_and_a_text() -> None:
    chat = SPEECH.body(HELLO, Sampling(max_tokens=3, logprobs=2))
    assert (SPEECH.path, chat["max_tokens"], chat["logprobs"], chat["top_logprobs"]) == (
        "/chat/completions", 3, True, 2
    )  # fmt: skip
    assert [one["content"] for one in chat["messages"]] == ["one", "two"]
    raw = replace(SPEECH, raw=True)
    text = raw.body(HELLO, Sampling(logprobs=2))
    assert (raw.path, text["prompt"], text["logprobs"]) == ("/completions", "one\ntwo", 2)
    theirs = replace(SPEECH, url="https://api.openai.com/v1")
    assert "max_completion_tokens" in theirs.body(HELLO, Sampling())


@pytest.mark.parametrize("status", [401, 404, 400])
def test_a_refusal_is_told_in_words(status: int) -> None:
    mistake = SPEECH.mistake(Refused(status, "no seed here"), {"seed": 3})
    assert {401: "refuses the key", 404: "knows no model 'm'", 400: "refuses seed"}[status] in mistake.problem


def test_an_answer_that_does_not_keep_its_shape() -> None:
    SPEECH.hold("yes", "stop", Sampling(choices=("yes",)))
    SPEECH.hold("{", "length", Sampling(json_schema="{}"))
    for how in (Sampling(choices=("yes",)), Sampling(regex="[0-9]+"), Sampling(json_schema="{}")):
        with pytest.raises(UserError, match="did not keep"):
            SPEECH.hold("no", "stop", how)


@pytest.mark.parametrize("told", [None, [], {"content": [{"token": "a"}]}, {"tokens": ["a"], "token_logprobs": []}])
def test_log_probabilities_that_are_none(told: Any) -> None:
    assert tokens_of(told) == ()


def test_small_parts() -> None:
    assert objects([{"a": 1}, 2, None]) == [{"a": 1}]
    assert objects("no") == []
    assert text_of(HELLO) == "one\ntwo"
    assert whole("a\ud83d") == ("a", "\ud83d")
    assert whole("\ud83d\ude00") == ("\U0001f600", "")
    assert SPEECH.said({"delta": {"content": "x"}}, "delta") == "x"
    assert SPEECH.said({"delta": None}, "delta") == ""
