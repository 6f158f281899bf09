"""Figures stay in a registry of their own, and no client can make them grow."""

import httpx
import prometheus_client

from dragoman.serve.meters import Meters
from tests.serve.conftest import Fake, Start


def test_two_servers_count_apart() -> None:
    one, two = Meters("a"), Meters("b")
    one.count("/v1/classify", 200, 0.1)
    one.watch("depth", "How deep.", lambda: 3)
    assert b'dragoman_requests_total{route="/v1/classify",status="200"} 1.0' in one.page()
    assert b"dragoman_depth 3.0" in one.page()
    assert b"status=" not in two.page()
    assert b"dragoman" not in prometheus_client.generate_latest()


def test_unknown_routes_are_one(start: Start, fake: Fake) -> None:
    running = start(fake)
    for number in range(30):
        httpx.get(f"{running.url}/nowhere/{number}", trust_env=False)
    page = running.get("/metrics").text
    assert 'dragoman_requests_total{route="other",status="404"} 30.0' in page
    assert "nowhere" not in page


def test_answers_and_what_is_said_of_them() -> None:
    meters = Meters("a")
    meters.keep("/v1/ask", True, 2, 300)
    meters.keep("/v1/classify", False, 0, 0)
    meters.batch.observe(3)
    for thumb, corrected in ((1, False), (-1, True), (None, True)):
        meters.judge(thumb, corrected)
    told = meters.page().decode()
    for line in (
        "dragoman_refusals_total 1.0",
        "dragoman_guard_hits_total 2.0",
        'dragoman_answer_tokens_sum{route="/v1/ask"} 300.0',
        "dragoman_step_answers_count 1.0",
        'dragoman_feedback_total{thumb="up"} 1.0',
        'dragoman_feedback_total{thumb="down"} 1.0',
        'dragoman_feedback_total{thumb="corrected"} 2.0',
    ):
        assert f"{line}\n" in told
    assert "/v1/classify" not in told
