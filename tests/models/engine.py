"""An engine of OpenAI's protocol that answers what a test tells it to, on this machine's loopback."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Message
from dragoman.models.remote import RemoteLM

__all__ = ["HELLO", "KEY", "Engine", "chat", "delta", "refused"]

KEY = "sk-canary-1234567890"
HELLO = [Message("system", "Be brief."), Message("user", "Say hello.")]


def chat(*texts: str, finish: str = "stop") -> dict[str, Any]:
    """What an engine answers to a chat."""
    choices = [
        {"index": number, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
        for number, text in enumerate(texts)
    ]
    return {"choices": choices[::-1], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}


def delta(text: str | None, finish: str | None = None) -> bytes:
    """One event of a stream."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}, ensure_ascii=False).encode() + b"\r\n\r\n"


def refused(call: Any) -> UserError:
    """The mistake a call ends in; never with the key in it."""
    with pytest.raises(UserError) as caught:
        call()
    assert KEY not in caught.value.problem + caught.value.hint
    return caught.value


class _Listening(ThreadingHTTPServer):
    """One that many may knock at in the same instant: with the 5 of the standard library they wait for a second."""

    request_queue_size = 128


class Engine:
    """A stub: each request gets the next of `answers` (the last one again and again) and is kept in `asked`.

    An answer is a status with a body (and headers), or a list of byte pieces that are streamed; None in it hangs, and
    a list that ends with ... is cut without a proper end.
    """

    def __init__(self) -> None:
        self.answers: list[Any] = [None]
        self.asked: list[tuple[str, dict[str, Any], str]] = []
        self.shown: dict[str, tuple[int, Any]] = {}
        "what a GET of a path is answered with; 404 elsewhere"
        self.under_way = self.most = 0
        self.release = threading.Event()
        self.raw: Callable[[BaseHTTPRequestHandler], None] | None = None
        "writes the answer by hand, where a test wants that"
        self.lock = threading.Lock()
        engine = self

        class Answering(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                engine.answer(self)

            def do_GET(self) -> None:
                status, content = engine.shown.get(self.path, (404, {}))
                data = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_request(self, code: object = "-", size: object = "-") -> None:
                pass

        self.server = _Listening(("127.0.0.1", 0), Answering)
        self.server.daemon_threads = True
        self.server.handle_error = lambda request, address: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        """Give the next answer."""
        body = json.loads(to.rfile.read(int(to.headers["content-length"])))
        with self.lock:
            self.asked.append((to.path, body, to.headers.get("authorization", "")))
            given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        try:
            given = given(body) if callable(given) else given
            if self.raw is not None:
                self.raw(to)
                return
            if given is None:
                self.release.wait(20)
                return
            if isinstance(given, list):
                self.pieces(to, given)
                return
            status, content, headers = (*given, {})[:3]
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            to.send_response(status)
            for name, value in {**headers, "content-length": str(len(data))}.items():
                to.send_header(name, value)
            to.end_headers()
            to.wfile.write(data)
        finally:
            with self.lock:
                self.under_way -= 1

    def pieces(self, to: BaseHTTPRequestHandler, given: list[Any]) -> None:
        """Stream the pieces as chunks."""
        to.send_response(200)
        to.send_header("transfer-encoding", "chunked")
        to.end_headers()
        for piece in given:
            if piece is ...:
                to.close_connection = True
                return
            if piece is None:
                self.release.wait(20)
                return
            to.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            to.wfile.flush()
            time.sleep(0.01)
        to.wfile.write(b"0\r\n\r\n")

    def lm(self, **settings: Any) -> RemoteLM:
        """A model behind it, quick to try again."""
        return RemoteLM(self.url, "m", **{"first_wait": 0.01, "time_out": 5.0, **settings})
