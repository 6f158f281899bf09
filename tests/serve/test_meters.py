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
