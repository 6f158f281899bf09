"""The smoke test of an exported app tells apart what it was made for from all else."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from dragoman.stages.smoke import check, wait_ready

LINEAGE = {"run": "lora-1", "verdict": "met"}
EXPECTED: dict[str, Any] = {"run": "lora-1", "path": "/v1/classify", "body": {"input": "a text"}, "lineage": LINEAGE}


@contextmanager
def answering(run: str = "lora-1", verdict: str = "met", key: str = "", status: int = 200) -> Iterator[str]:
    """A server that answers as an app of this run; yields where it listens."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.say(status, {"data": [{"id": run}]})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert asked == {"input": "a text", "model": "lora-1"}
            self.say(status, {"label": "a"})

        def say(self, status: int, body: Any) -> None:
            if self.path != "/readyz" and key and self.headers.get("Authorization") != f"Bearer {key}":
                status, body = 401, {"error": {"message": "a key is needed"}}
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("X-Request-Id", "req-1")
            self.send_header("X-Dragoman-Lineage", json.dumps({"run": run, "verdict": verdict}))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *said: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("said", "key", "wrong"),
    [
        ({}, "", ""),
        ({"key": "dk-1"}, "dk-1", ""),
        ({"key": "dk-1"}, "", "401: a key is needed"),
        ({"run": "full-2"}, "", "full-2 is served instead of lora-1"),
        ({"verdict": "not met"}, "", "lineage differs in verdict"),
    ],
)
def test_what_differs_is_told(said: dict[str, Any], key: str, wrong: str) -> None:
    with answering(**said) as url:
        assert wait_ready(url, 5) == ""
        found = check(url, EXPECTED, key)
    assert wrong in found
    assert bool(found) == bool(wrong)


def test_a_server_that_is_not_ready_is_told() -> None:
    with answering(status=503) as url:
        assert "not ready after 0 seconds: status 503" in wait_ready(url, 0.05)
    assert "is not ready" in wait_ready(url, 0.05)


def test_it_stands_on_python_alone(root: Path) -> None:
    source = (root / "dragoman" / "stages" / "smoke.py").read_text()
    assert "dragoman." not in source.split("__all__")[0].split('"""')[2]
