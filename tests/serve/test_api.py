"""The API as a client meets it: answers, shapes of errors, and a table that lists every route."""

import concurrent.futures
import json
import socket
import time

import httpx
import pytest
from starlette.routing import Route

from dragoman.core.types import Answer
from dragoman.serve.api import ACCESS, build
from dragoman.serve.keys import SCOPES
from dragoman.serve.label import result
from dragoman.serve.limits import Limits
from tests.serve.conftest import LABELS, Fake, Running, Start, answer, context_of


def test_answers_carry_the_run(start: Start, fake: Fake) -> None:
    given = start(fake).classify("hello", "a" * 80)
    assert given.status_code == 200
    assert given.headers["x-dragoman-run"] == "judge-1a2b"
    said = given.json()
    assert (said["run"], said["model"]) == ("judge-1a2b", "area")
    assert json.loads(given.headers["x-dragoman-lineage"]) == {"run": "judge-1a2b", "base": "area"}
    assert given.headers["x-request-id"] == said["id"]
    assert [one["label"] for one in said["results"]] == ["short", "long"]
    assert said["results"][1] == {
        "label": "long",
        "labels": ["long"],
        "score": 0.8,
        "scores": {"short": 1 - 0.8, "long": 0.8},
    }
    assert list(said["results"][0]["scores"]) == list(LABELS)


def test_one_input_is_a_batch_of_one(start: Start, fake: Fake) -> None:
    given = httpx.post(start(fake).url + "/v1/classify", json={"input": "hello"}, trust_env=False)
    assert [one["label"] for one in given.json()["results"]] == ["short"]


def test_several_labels_or_none() -> None:
    both = result(Answer("a, b", ("a", "b"), {"a": 0.6, "b": 0.9, "c": 0.1}), ("a", "b", "c"))
    assert (both["label"], both["labels"], both["score"]) == ("b", ["a", "b"], 0.9)
    none = result(Answer("", (), {"a": 0.1}), ("a",))
    assert (none["label"], none["labels"], none["score"]) == (None, [], None)


def test_every_route_is_in_the_access_table(fake: Fake) -> None:
    app = build(context_of(fake))
    routes = {route.path for route in app.routes if isinstance(route, Route)}
    assert len(routes) == len({getattr(route, "path", None) for route in app.routes})
    assert routes == set(ACCESS)
    assert set(ACCESS.values()) <= {"open", *SCOPES}
    assert [path for path, need in ACCESS.items() if need == "open"] == ["/healthz", "/readyz", "/", "/page/{file}"]


def test_health_and_figures(start: Start, fake: Fake) -> None:
    running = start(fake)
    assert running.get("/healthz").json() == {"live": True, "ready": True}
    running.classify("a", "b")
    page = running.get("/metrics").text
    assert 'dragoman_requests_total{route="/v1/classify",status="200"} 1.0' in page
    assert "dragoman_texts_total 2.0" in page
    assert "dragoman_queue_depth 0.0" in page
    assert 'dragoman_run_info{run="judge-1a2b"} 1.0' in page


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/docs", 404, "not_found"),
        ("GET", "/page/other.js", 404, None),
        ("GET", "/v1/models/nobody", 404, "model_not_found"),
        ("GET", "/v1/conversations", 404, "not_found"),
        ("GET", "/v1/classify/", 404, "not_found"),
        ("GET", "/v1/classify", 405, "method_not_allowed"),
        ("DELETE", "/v1/classify", 405, "method_not_allowed"),
        ("POST", "/healthz", 405, "method_not_allowed"),
        ("POST", "/v1/canary-7f3a", 404, "not_found"),
    ],
)
def test_errors_have_one_shape(standing: Running, method: str, path: str, status: int, kind: str | None) -> None:
    given = httpx.request(method, standing.url + path, trust_env=False)
    assert given.status_code == status
    assert given.headers["content-type"] == "application/json"
    assert given.json()["error"]["code"] == kind
    assert set(given.json()) == {"error"}
    assert "canary" not in given.text


def test_nothing_of_the_request_comes_back_in_an_error(
    start: Start, fake: Fake, capfd: pytest.CaptureFixture[str]
) -> None:
    running = start(fake)
    for body in (
        {"input": 5, "canary": 1},
        {"canary": "canary"},
        {"input": "canary\x00"},
        {"inputs": ["poison canary"]},
    ):
        given = httpx.post(running.url + "/v1/classify?canary=canary", json=body, trust_env=False)
        assert given.status_code in (400, 500)
        assert "canary" not in given.text + str(given.headers)
    said = capfd.readouterr()
    assert "ValueError" in said.err  # the bug is told with its place
    assert "canary" not in said.err + said.out  # and without what was sent


def test_an_overloaded_server_says_so_at_once(start: Start, fake: Fake) -> None:
    fake.go.clear()
    running = start(fake, Limits(queue=4, batch=2))
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        accepted = [pool.submit(running.classify, f"text {number}") for number in range(4)]
        running.wait(lambda: running.worker.full)
        began = time.perf_counter()
        refused = list(pool.map(lambda _: running.classify("late"), range(20)))
        took = time.perf_counter() - began
        assert {one.status_code for one in refused} == {429}
        assert all(int(one.headers["retry-after"]) >= 1 for one in refused)
        assert took < 5, "a refusal waits for nobody"
        assert "late" not in fake.seen
        fake.go.set()
        assert [one.result().status_code for one in accepted] == [200] * 4
    assert running.classify("again").status_code == 200


def test_company_changes_nothing(start: Start) -> None:
    fake = Fake(seconds=0.01)
    running = start(fake, Limits(queue=64, batch=8))
    texts = ["x" * length for length in range(1, 97)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        given = list(pool.map(lambda place: running.classify(*texts[place : place + 3]), range(0, 96, 3)))
    said = [one for each in given for one in each.json()["results"]]
    assert [one["scores"]["long"] for one in said] == [answer(text).scores["long"] for text in texts]
    assert max(fake.batches) > 3, "waiting requests are read together"
    assert max(fake.batches) <= 8


def test_a_poisoned_text_fails_alone(start: Start, fake: Fake) -> None:
    fake.go.clear()
    running = start(fake, Limits(batch=8))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        first = pool.submit(running.classify, "first")
        running.wait(lambda: fake.batches == [1])
        rest = [pool.submit(running.classify, text) for text in ("good", "poison", "fine")]
        running.wait(lambda: running.worker.depth() == 3)
        fake.go.set()
        assert first.result().status_code == 200
        assert [one.result().status_code for one in rest] == [200, 500, 200]
    assert running.get("/healthz").json()["ready"]


def test_a_client_that_hangs_up_frees_its_place(start: Start, fake: Fake) -> None:
    fake.go.clear()
    running = start(fake, Limits(queue=2))
    body = json.dumps({"input": "bye"}).encode()
    head = b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    worker = running.worker
    for _ in range(20):
        client = socket.create_connection(("127.0.0.1", running.port))
        client.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        running.wait(lambda: len(worker._live) == 1)
        client.close()
        running.wait(lambda: len(worker._live) == 0)
    fake.go.set()
    assert running.classify("after").status_code == 200
    assert fake.seen.count("bye") <= 1, "the model never reads what nobody waits for"


def test_time_up_while_the_model_works_and_while_waiting(start: Start, fake: Fake) -> None:
    fake.go.clear()
    running = start(fake, Limits(answer_seconds=0.3, batch=1))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(running.classify, "first")
        running.wait(lambda: fake.batches == [1])
        second = pool.submit(running.classify, "second")
        assert first.result().status_code == 504
        assert second.result().status_code == 503
        assert "retry-after" in second.result().headers
    running.wait(lambda: running.get("/healthz").status_code == 503)  # a model that is stuck is not ready
    fake.go.set()
    running.wait(lambda: running.get("/healthz").status_code == 200)


def test_a_figure_that_is_no_number_is_not_sent(start: Start, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.serve.conftest.answer", lambda text: Answer("long", ("long",), {"long": float("nan")}))
    given = start(fake).classify("hello")
    assert given.status_code == 500
    assert given.json()["error"]["code"] == "internal"


def test_a_stop_answers_what_was_accepted(start: Start) -> None:
    fake = Fake(seconds=0.3)
    running = start(fake, Limits(batch=1))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        given = [pool.submit(running.classify, f"text {number}") for number in range(4)]
        running.wait(lambda: len(running.worker._live) == 4)
        running.server.should_exit = True
        assert [one.result().status_code for one in given] == [200] * 4
    running.thread.join(10)
    assert not running.thread.is_alive()


def test_a_stop_waits_only_so_long(start: Start, fake: Fake) -> None:
    fake.go.clear()
    running = start(fake, Limits(drain_seconds=0.5))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        given = pool.submit(running.classify, "never")
        running.wait(lambda: fake.batches == [1])
        running.server.should_exit = True
        assert given.result().status_code == 503
        assert given.result().json()["error"]["code"] == "unavailable"
    fake.go.set()
