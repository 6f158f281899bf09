"""An engine behind an address: side by side, given up, broken, and never asked twice once it has begun to answer."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dragoman.core.engine import Asked, Piece
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.models.remote import RemoteLM
from dragoman.models.remote_engine import RemoteEngine
from dragoman.serve.limits import Limits
from dragoman.serve.meters import Meters
from dragoman.serve.scheduler import Scheduler
from tests.models.engine import HELLO, KEY, Engine, delta

Opening = Callable[..., RemoteEngine]
GREEDY = Sampling(max_tokens=50)
MODELS = (200, {"data": [{"id": "m"}, {"id": "polite"}]})


@pytest.fixture
def opened(engine: Engine) -> Iterator[Opening]:
    """Opens a remote engine over the stub, and closes it behind the test."""
    made: list[RemoteEngine] = []

    def begin(rows: int = 8, **settings: Any) -> RemoteEngine:
        made.append(RemoteEngine(engine.lm(**settings), rows, failing=0.1))
        assert made[-1].health.looked.wait(5)
        return made[-1]

    yield begin
    for one in made:
        one.close()


def event(**choice: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def usage(read: int, written: int, cached: int = 0) -> bytes:
    spent = {"prompt_tokens": read, "completion_tokens": written, "prompt_tokens_details": {"cached_tokens": cached}}
    return b"data: " + json.dumps({"choices": [], "usage": spent}).encode() + b"\n\n"


def finished(engine: RemoteEngine) -> list[Piece]:
    pieces: list[Piece] = []
    end = time.monotonic() + 20
    while engine.busy() and time.monotonic() < end:
        pieces += engine.step()
    assert not engine.busy()
    assert KEY not in repr(pieces)
    return pieces


def soon(true: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def asked_of(stub: Engine) -> list[dict[str, Any]]:
    return [body for _, body, _ in stub.asked]


def test_an_answer_comes_in_pieces_with_what_it_took(engine: Engine, opened: Opening) -> None:
    engine.answers = [[delta("hel"), delta("lo"), delta(None, "length"), usage(7, 5, 4), b"data: [DONE]\n\n"]]
    remote = opened()
    asked = Asked(3, HELLO, Sampling(max_tokens=50, stop=("x",), temperature=0.5, seed=9, top_k=4))
    assert remote.count(asked) == 0
    remote.add(asked)
    pieces = finished(remote)
    assert [(one.number, one.text, one.count, one.finish) for one in pieces] == [
        (3, "hel", 1, ""), (3, "lo", 1, ""), (3, "", 3, "length")
    ]  # fmt: skip
    assert (pieces[-1].read, pieces[-1].reused) == (7, 4)
    path, body, key = engine.asked[0]
    assert (path, key) == ("/v1/chat/completions", f"Bearer {KEY}")
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}
    assert {name: body[name] for name in ("stop", "seed", "top_k", "max_tokens")} == {
        "stop": ["x"], "seed": 9, "top_k": 4, "max_tokens": 50
    }  # fmt: skip


def test_several_answers_with_their_log_probabilities(engine: Engine, opened: Opening) -> None:
    told = {"content": [{"token": "a", "logprob": -0.5, "top_logprobs": [{"token": "b", "logprob": -1}]}]}
    engine.answers = [[
        event(index=1, delta={"content": "b"}, logprobs=told),
        event(index=0, delta={"content": "a"}, logprobs=told, finish_reason="stop"),
        event(index=1, delta={}, finish_reason="length"),
        event(index=9, delta={"content": "nobody's"}),
        b"data: [DONE]\n\n",
    ]]  # fmt: skip
    remote = opened()
    remote.add(Asked(0, HELLO, Sampling(n=2, temperature=1.0, logprobs=1)))
    pieces = finished(remote)
    assert [(one.index, one.text) for one in pieces if one.text] == [(1, "b"), (0, "a")]
    assert [(one.index, one.finish) for one in pieces if one.finish] == [(0, "stop"), (1, "length")]
    assert pieces[0].tokens[0].logprob == -0.5
    assert pieces[0].tokens[0].top == (("b", -1.0),)


def test_a_text_is_gone_on_from_and_another_model_answers(engine: Engine, opened: Opening) -> None:
    engine.shown["/v1/models"] = MODELS
    engine.answers = [[event(index=0, text="on", finish_reason="stop"), b"data: [DONE]\n\n"]]
    remote = opened()
    assert remote.adapters() == ("polite",)
    asked = Asked(0, HELLO, GREEDY, adapter="polite", raw=True)
    remote.count(asked)
    remote.add(asked)
    assert "".join(one.text for one in finished(remote)) == "on"
    assert engine.asked[0][0] == "/v1/completions"
    assert engine.asked[0][1]["model"] == "polite"
    with pytest.raises(UserError, match="lists no model"):
        remote.count(Asked(1, HELLO, GREEDY, adapter="rude"))
    with pytest.raises(UserError, match="beam"):
        remote.count(Asked(1, HELLO, Sampling(beams=2)))
    with pytest.raises(UserError, match="prompt"):
        remote.count(Asked(1, [], GREEDY))


def test_requests_are_under_way_side_by_side(engine: Engine, opened: Opening) -> None:
    engine.answers = [[delta("x"), None]]
    remote = opened(rows=6)
    for number in range(12):
        remote.add(Asked(number, HELLO, GREEDY))
    pieces: list[Piece] = []
    end = time.monotonic() + 10
    while len(pieces) < 6 and time.monotonic() < end:
        pieces += remote.step()
    assert engine.most == 6
    assert {one.number for one in pieces} == set(range(6))
    assert remote.busy() == 12


def test_who_is_given_up_is_heard_no_more_and_the_engine_sees_it(engine: Engine, opened: Opening) -> None:
    engine.answers = [[delta("x")] * 3000, [None], [delta("y", "stop"), b"data: [DONE]\n\n"]]
    remote = opened()
    remote.add(Asked(0, HELLO, GREEDY))
    soon(lambda: remote.step())
    remote.add(Asked(1, HELLO, GREEDY))
    soon(lambda: engine.under_way == 2)
    remote.cancel(0)
    remote.cancel(77)
    soon(lambda: engine.under_way == 1)  # 30 seconds of writing ended early
    assert {one.number for one in remote.step()} <= {1}
    remote.cancel(1)
    remote.add(Asked(2, HELLO, GREEDY))
    assert "".join(one.text for one in finished(remote)) == "y"


def test_what_is_given_up_before_it_began_is_never_asked(engine: Engine, opened: Opening) -> None:
    engine.answers = [[None]]
    remote = opened(rows=1)
    remote.add(Asked(0, HELLO, GREEDY))
    soon(lambda: engine.under_way == 1)
    remote.add(Asked(1, HELLO, GREEDY))
    remote.cancel(1)
    engine.answers = [[delta("y", "stop"), b"data: [DONE]\n\n"]]
    remote.cancel(0)
    remote.add(Asked(2, HELLO, GREEDY))
    finished(remote)
    assert len(engine.asked) == 2


def test_many_that_are_given_up_leave_nothing_behind(engine: Engine, opened: Opening) -> None:
    engine.answers = [[*[delta("x")] * 3, None]]
    engine.release.set()
    remote = opened(rows=8)
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for number in range(100):
        remote.add(Asked(number, HELLO, GREEDY))
        if number >= 8:
            remote.cancel(number - 8)
        remote.step()
    for number in range(100):
        remote.cancel(number)
    assert not remote.busy()
    soon(lambda: threading.active_count() <= threads + 8)
    soon(lambda: len(os.listdir("/proc/self/fd")) <= files + 16)
    remote.close()
    soon(lambda: len(os.listdir("/proc/self/fd")) <= files)


def test_it_is_tried_again_before_the_first_token_alone(engine: Engine, opened: Opening) -> None:
    good = [delta("fine", "stop"), b"data: [DONE]\n\n"]
    engine.answers = [(429, {}), (503, {}), good]
    remote = opened()
    remote.add(Asked(0, HELLO, GREEDY))
    assert "".join(one.text for one in finished(remote)) == "fine"
    assert len(engine.asked) == 3
    engine.answers = [[delta("half"), ...], good]
    remote.add(Asked(1, HELLO, GREEDY))
    pieces = finished(remote)
    assert [one.text for one in pieces] == ["half", ""]
    assert pieces[-1].finish == "error"
    assert "broke off" in pieces[-1].problem
    assert len(engine.asked) == 4


def test_what_the_engine_refuses_is_said_and_the_others_go_on(engine: Engine, opened: Opening) -> None:
    def answer(body: dict[str, Any]) -> Any:
        if "top_k" in body:
            return 400, {"error": {"message": f"top_k? {KEY}", "param": "top_k"}}
        return [delta("ok", "stop"), b"data: [DONE]\n\n"]

    engine.answers = [answer]
    remote = opened()
    remote.add(Asked(0, HELLO, Sampling(top_k=3)))
    remote.add(Asked(1, HELLO, GREEDY))
    ends = {one.number: one for one in finished(remote) if one.finish}
    assert (ends[0].finish, ends[1].finish) == ("error", "stop")
    assert "refuses top_k" in ends[0].problem


def test_an_older_engine_that_does_not_tell_what_it_took(engine: Engine, opened: Opening) -> None:
    good = [delta("ok", "stop"), b"data: [DONE]\n\n"]
    engine.answers = [(422, {"detail": "unknown field stream_options"}), good]
    remote = opened(rows=1)
    for number in range(2):
        remote.add(Asked(number, HELLO, GREEDY))
    assert [one.text for one in finished(remote)] == ["ok", "", "ok", ""]
    assert ["stream_options" in body for body in asked_of(engine)] == [True, False, False]


@pytest.mark.parametrize(
    ("how", "sent", "said"),
    [
        (Sampling(choices=("yes", "no")), [delta("maybe", "stop")], "did not keep to it"),
        (Sampling(logprobs=1), [delta("yes", "stop")], "told none"),
        (Sampling(), [delta("yes")], "cut the connection after 3 characters"),
        (Sampling(), [b"data: no json\n\n"], "no JSON"),
    ],
)
def test_an_answer_that_is_none(engine: Engine, opened: Opening, how: Sampling, sent: list[Any], said: str) -> None:
    engine.answers = [sent]
    remote = opened()
    remote.add(Asked(0, HELLO, how))
    last = finished(remote)[-1]
    assert last.finish == "error"
    assert said in last.problem


def test_while_it_is_known_to_be_dead_nobody_waits_for_it(engine: Engine, opened: Opening) -> None:
    engine.shown["/health"] = (503, {})
    engine.answers = [[delta("back", "stop"), b"data: [DONE]\n\n"]]
    remote = opened()
    assert not remote.healthy()
    remote.add(Asked(0, HELLO, GREEDY))
    last = finished(remote)[-1]
    assert last.finish == "error"
    assert "not well (503)" in last.problem
    assert not engine.asked
    engine.shown["/health"] = (200, {})
    soon(remote.healthy)
    remote.add(Asked(1, HELLO, GREEDY))
    assert finished(remote)[-1].finish == "stop"


def test_a_server_drives_it(engine: Engine, opened: Opening) -> None:
    engine.answers = [[delta("a"), delta("b"), delta(None, "stop"), usage(7, 2), b"data: [DONE]\n\n"]]
    scheduler = Scheduler(opened(), Limits(), Meters("a-run"))
    scheduler.start()
    try:
        tickets = [scheduler.wait_for(HELLO, GREEDY) for _ in range(6)]
        for ticket in tickets:
            pieces = [piece for some in ticket for piece in some]
            assert "".join(piece.text for piece in pieces) == "ab"
            assert ticket.prompt_tokens == 7
    finally:
        scheduler.stop()


def test_nobody_is_there() -> None:
    remote = RemoteEngine(RemoteLM("http://127.0.0.1:1/v1", "m", retries=1, first_wait=0.01), failing=0.1)
    try:
        remote.add(Asked(0, HELLO, GREEDY))
        last = finished(remote)[-1]
        assert last.finish == "error"
        assert "no connection" in last.problem
        soon(lambda: not remote.healthy())
    finally:
        remote.close()


@pytest.mark.parametrize(("status", "looks"), [(400, 0), (413, 0), (422, 0), (429, 0), (500, 1)])
def test_the_status_of_a_refusal_is_carried(engine: Engine, opened: Opening, status: int, looks: int) -> None:
    engine.answers = [(status, {"error": {"message": "no"}})]
    remote = opened(retries=0)
    looked: list[bool] = []
    remote.health.look_soon = lambda: looked.append(True)  # type: ignore[method-assign]
    remote.add(Asked(0, HELLO, GREEDY))
    (last,) = finished(remote)
    assert (last.finish, last.fault, len(looked)) == ("error", status, looks)
