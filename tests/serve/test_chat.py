"""Chat completions as clients expect them: streamed is whole, what is asked for is kept, all else is refused."""

import concurrent.futures
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from dragoman.core.types import Message
from dragoman.models.engine import LocalEngine
from tests.serve.conftest import Running, launched
from tests.serve.writing import HOW, writing_context

ASKED = {"model": "tiny", "messages": [{"role": "user", "content": "the hill"}], "temperature": 0, "max_tokens": 9}
PATH = "/v1/chat/completions"
SCHEMA, SECRET = "response_format.json_schema", {"type": "secret"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("chat")
    running = launched(writing_context(home / "tiny", journal=home / "journal.sqlite"))
    yield running
    running.stop()


def post(server: Running, body: Any, path: str = PATH) -> httpx.Response:
    return httpx.post(server.url + path, json=body, timeout=30, trust_env=False)


def streamed(server: Running, body: Any, path: str = PATH) -> list[dict[str, Any]]:
    """The events of a stream, which ends as one does."""
    given = post(server, {**body, "stream": True}, path)
    assert given.status_code == 200, given.text
    assert given.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in given.text.split("\n\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def text_of(events: list[dict[str, Any]], index: int = 0) -> str:
    choices = [one for event in events for one in event["choices"] if one["index"] == index]
    return "".join(one["delta"].get("content") or "" for one in choices)


def test_a_stream_is_the_whole_answer_in_pieces(server: Running) -> None:
    whole = post(server, ASKED).json()
    events = streamed(server, {**ASKED, "stream_options": {"include_usage": True}})
    assert text_of(events) == whole["choices"][0]["message"]["content"]
    assert len({event["id"] for event in events}) == 1
    assert events[0]["id"].startswith("chatcmpl-")
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": None}
    assert not any("role" in event["choices"][0]["delta"] for event in events[1:-1])
    assert events[-2]["choices"][0]["delta"] == {}
    assert events[-2]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert events[-1]["choices"] == []
    same = {name: whole["usage"][name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
    assert {name: events[-1]["usage"][name] for name in same} == same
    assert all(event["usage"] is None for event in events[:-1])
    assert events[-1]["usage"]["completion_tokens"] == 9


def test_it_says_what_the_model_says_alone(server: Running) -> None:
    engine = server.app.state.context.catalogue.first.scheduler.engine
    assert isinstance(engine, LocalEngine)
    alone = engine._lm.generate([(Message("user", "the hill"),)], HOW)[0]
    said = post(server, {"messages": ASKED["messages"]})
    assert said.json()["choices"][0]["message"]["content"] == alone.text
    assert said.headers["x-dragoman-as-judged"] == "true"
    assert json.loads(said.headers["x-dragoman-lineage"]) == {"base": "tiny", "prompt": "p1"}
    other = post(server, {"messages": ASKED["messages"], "temperature": 0.5, "seed": 3})
    assert other.headers["x-dragoman-as-judged"] == "false"


def test_the_same_seed_is_the_same_text_in_any_company(server: Running) -> None:
    def say(seed: int) -> str:
        body = {**ASKED, "temperature": 1.2, "seed": seed, "max_tokens": 20}
        return str(post(server, body).json()["choices"][0]["message"]["content"])

    alone = [say(seed) for seed in range(12)]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        assert list(pool.map(say, range(12))) == alone
    assert len(set(alone)) > 6


def test_several_answers_differ_and_each_has_its_number(server: Running) -> None:
    body = {**ASKED, "temperature": 1.3, "n": 4, "seed": 1}
    whole = post(server, body).json()
    texts = [one["message"]["content"] for one in whole["choices"]]
    assert [one["index"] for one in whole["choices"]] == [0, 1, 2, 3]
    assert len(set(texts)) > 1
    events = streamed(server, body)
    assert [text_of(events, index) for index in range(4)] == texts
    assert whole["usage"]["completion_tokens"] >= 4


def test_log_probabilities_stand_beside_the_text(server: Running) -> None:
    body = {**ASKED, "logprobs": True, "top_logprobs": 3}
    whole = post(server, body).json()["choices"][0]
    told = whole["logprobs"]["content"]
    assert "".join(one["token"] for one in told).strip() == whole["message"]["content"].strip()
    assert all(one["logprob"] <= 0 and len(one["top_logprobs"]) == 3 for one in told)
    assert all(one["bytes"] == list(one["token"].encode()) for one in told if "\ufffd" not in one["token"])
    events = streamed(server, body)
    pieces = [one["logprobs"]["content"] for event in events for one in event["choices"] if one["logprobs"]]
    assert [one["token"] for piece in pieces for one in piece] == [one["token"] for one in told]
    plain = post(server, {**ASKED, "logprobs": True}).json()["choices"][0]["logprobs"]["content"]
    assert [one["token"] for one in plain] == [one["token"] for one in told]


def test_a_stop_text_is_cut_wherever_tokens_end(server: Running) -> None:
    whole = post(server, {**ASKED, "max_tokens": 30}).json()["choices"][0]["message"]["content"]
    stop = whole[4:7]
    cut = post(server, {**ASKED, "max_tokens": 30, "stop": [stop]}).json()["choices"][0]
    assert cut["message"]["content"].strip() == whole[: whole.index(stop)].strip()
    assert cut["finish_reason"] == "stop"
    assert text_of(streamed(server, {**ASKED, "max_tokens": 30, "stop": stop})).strip() == cut["message"]["content"]


def test_a_token_can_be_forbidden(server: Running) -> None:
    words = server.app.state.context.catalogue.first.scheduler.engine._lm.tokenizer
    body = {**ASKED, "max_tokens": 1, "logprobs": True}
    first = post(server, body).json()["choices"][0]["logprobs"]["content"][0]["token"]
    ids = [one for one in range(words.size) if words.pieces([one])[0].decode("utf-8", "replace") == first]
    other = post(server, {**body, "logit_bias": {str(one): -100 for one in ids}}).json()["choices"][0]
    assert first not in [one["token"] for one in other["logprobs"]["content"]]


def test_a_shape_is_obeyed(server: Running) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"enum": [1, 22]}},
        "required": ["a"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    body = {**ASKED, "max_tokens": 40, "response_format": form}
    assert json.loads(post(server, body).json()["choices"][0]["message"]["content"])["a"] in (1, 22)
    assert json.loads(text_of(streamed(server, body)))["a"] in (1, 22)
    chosen = post(server, {**ASKED, "choices": ["yes", "no"]}).json()["choices"][0]["message"]["content"]
    assert chosen in ("yes", "no")


def test_a_tool_that_has_to_be_called_is_called(server: Running) -> None:
    parameters = {"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"]}
    parameters |= {"additionalProperties": False}
    tool = {"type": "function", "function": {"name": "add", "description": "adds", "parameters": parameters}}
    choice = {"type": "function", "function": {"name": "add"}}
    for wanted in ("required", choice):
        body = {**ASKED, "max_tokens": 600, "messages": [{"role": "user", "content": "x"}]}
        body |= {"tools": [tool], "tool_choice": wanted}
        (choice_made,) = post(server, body).json()["choices"]
        assert choice_made["finish_reason"] == "tool_calls"
        (call,) = choice_made["message"]["tool_calls"]
        assert call["function"]["name"] == "add"
        assert json.loads(call["function"]["arguments"])["a"] in (1, 2)
        events = streamed(server, body)
        (piece,) = [one["delta"] for event in events for one in event["choices"] if one["delta"].get("tool_calls")]
        assert piece["tool_calls"][0]["function"] == call["function"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "nobody", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": "x", "extra": 1}]}, "messages[0].extra"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 2**63}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_completion_tokens": 3}, "max_tokens"),
        ({"n": 10**6}, "n"),
        ({"n": 2}, "n"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_p": 2}, "top_p"),
        ({"stop": ["x"] * 99}, "stop"),
        ({"stop": [""]}, "stop[0]"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"logit_bias": {str(one): 1 for one in range(2000)}}, "logit_bias"),
        ({"logit_bias": {"5": 1000}}, "logit_bias"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 99}, "top_logprobs"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": 3}}}, f"{SCHEMA}.schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": SECRET}}}, "response_format"),
        ({"regex": "("}, "regex"),
        ({"tools": "x"}, "tools"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"store": True}, "store"),
        ({"best_of": 3}, "best_of"),
        ({"unknown": 1}, "unknown"),
        ({"model": "secret-name"}, "model"),
        ({"model": 5}, "model"),
        ({"messages": [{"role": "user", "content": "x", "name": "secret"}]}, "messages[0].name"),
        ({"messages": [{"role": "assistant", "content": "x", "function_call": {}}]}, "messages[0].function_call"),
        ({"temperature": 1e-300}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"min_tokens": 10}, "min_tokens"),
        ({"logit_bias": {"999999999": 1}}, "logit_bias"),
        ({"regex": "a", "choices": ["a"]}, "regex"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_is_wrong_is_named_and_not_repeated(server: Running, change: dict[str, Any], param: str | None) -> None:
    given = post(server, {**ASKED, **change})
    many = len(change.get("stop", ())) > 16
    assert given.status_code == (404 if "secret-name" in change.values() else 413 if many else 400)
    error = given.json()["error"]
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"
    assert "secret" not in given.text


def test_a_prompt_that_is_too_long_is_told_in_tokens(server: Running) -> None:
    given = post(server, {"messages": [{"role": "user", "content": "hill " * 1200}]})
    assert given.status_code == 400
    assert "1,024" in given.json()["error"]["message"]


def test_temperature_nothing_and_top_p_nothing_are_bounds(server: Running) -> None:
    assert post(server, {**ASKED, "top_p": 0}).status_code == 400
    for value in ("NaN", "Infinity", "1e999"):
        body = json.dumps(ASKED).replace('"temperature": 0', f'"temperature": {value}')
        kind = {"Content-Type": "application/json"}
        given = httpx.post(server.url + PATH, content=body, headers=kind, trust_env=False)
        assert given.status_code == 400


def test_a_shape_that_is_too_large_is_the_requests_own_fault(server: Running) -> None:
    """It is known only on the way, and all others go on."""
    schema = {"type": "object", "properties": {f"p{number}": {"type": "string"} for number in range(1500)}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        others = [pool.submit(post, server, {**ASKED, "max_tokens": 60}) for _ in range(3)]
        given = post(server, {**ASKED, "response_format": form})
        assert [one.result().status_code for one in others] == [200] * 3
    assert given.status_code == 400
    assert given.json()["error"]["param"] == "response_format"
    assert given.headers["x-request-id"].startswith("req-")


def test_the_beginning_of_an_answer_is_gone_on_with(server: Running) -> None:
    whole = post(server, {**ASKED, "max_tokens": 30}).json()["choices"][0]["message"]["content"]
    begun = whole[: next(place for place in range(len(whole) - 1, 0, -1) if whole[:place].isascii() or place == 1)]
    assert begun
    asked = [*ASKED["messages"], {"role": "assistant", "content": begun}]
    rest = post(server, {**ASKED, "messages": asked, "max_tokens": 3}).json()["choices"][0]["message"]["content"]
    lm = server.app.state.context.catalogue.first.scheduler.engine._lm
    alone = lm.generate([(Message("user", "the hill"), Message("assistant", begun))], replace(HOW, max_tokens=3))
    assert rest == alone[0].text


def test_one_call_where_only_one_may_be(server: Running) -> None:
    parameters = {"type": "object", "properties": {}, "additionalProperties": False}
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    two = '[{"name": "f", "arguments": {}}, {"name": "f", "arguments": {}}]'
    for parallel, count in ((True, 2), (False, 1)):
        body = {**ASKED, "max_tokens": 200, "tools": [tool], "choices": [two], "parallel_tool_calls": parallel}
        message = post(server, body).json()["choices"][0]["message"]
        assert len(message["tool_calls"]) == count
        assert message["content"] is None


def test_a_client_that_leaves_frees_its_place(server: Running) -> None:
    scheduler = server.app.state.context.catalogue.first.scheduler
    body = json.dumps({**ASKED, "max_tokens": 40, "stream": True}).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    for _ in range(10):
        client = socket.create_connection(("127.0.0.1", server.port))
        client.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert client.recv(10)
        client.close()
    server.wait(lambda: scheduler.live == 0)
    assert scheduler.engine.busy() == 0
    assert post(server, ASKED).status_code == 200


def test_parts_of_text_and_old_calls_are_read(server: Running) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "developer", "content": "be"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "3"},
    ]
    given = post(server, {"messages": messages, "max_tokens": 2})
    assert given.status_code == 200, given.text


def test_every_request_is_written_down_before_its_answer_ends(server: Running, tmp_path: Path) -> None:
    from dragoman.serve.journal_read import read

    given = post(server, ASKED)
    events = streamed(server, ASKED)
    journal = server.app.state.context.journal
    kept = {one.entry.id: one.entry for one in read(journal.path)}
    for name in (given.json()["id"], events[0]["id"]):
        entry = kept[f"req-{name.removeprefix('chatcmpl-')}"]
        assert entry.written == 9
        assert json.loads(entry.prompt) == ASKED["messages"]
        assert entry.answer == given.json()["choices"][0]["message"]["content"]
        assert json.loads(entry.lineage) == {"base": "tiny", "prompt": "p1"}


def test_what_was_held_back_comes_with_its_tokens(server: Running) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    for written, called in (('{"no": 1}', False), ('{"name": "f", "arguments": {}}', True)):
        body = {**ASKED, "max_tokens": 200, "tools": [tool], "choices": [written], "logprobs": True}
        told = post(server, body).json()["choices"][0]["logprobs"]["content"]
        events = streamed(server, body)
        pieces = [one["logprobs"]["content"] for event in events for one in event["choices"] if one["logprobs"]]
        assert [one["token"] for piece in pieces for one in piece] == [one["token"] for one in told]
        assert told
        assert (text_of(events) == "") is called


def test_half_a_surrogate_pair_in_a_call_is_told(server: Running) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    written = '{"name": "f", "arguments": {"a": "\\ud800"}}'
    body = {**ASKED, "max_tokens": 200, "tools": [tool], "choices": [written]}
    given = post(server, body)
    assert given.status_code == 200, given.text
    (call,) = given.json()["choices"][0]["message"]["tool_calls"]
    assert call["function"]["arguments"] == '{"a": "\\ud800"}'
    assert any(one["delta"].get("tool_calls") for event in streamed(server, body) for one in event["choices"])
