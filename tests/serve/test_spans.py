"""Spans: the names of the conventions, no text unless asked for, and to the address alone that was given."""

import asyncio
import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from dragoman.core.errors import UserError
from dragoman.data.private import hints
from dragoman.serve.journal_schema import Entry
from dragoman.serve.spans import OPERATIONS, SEMCONV, Spans, attributes, open_spans
from tests.serve.conftest import Fake, Start

pytest.importorskip("opentelemetry.sdk")

LINEAGE = '{"run":"train-1","data":"d1"}'
ASKED = json.dumps([{"role": "user", "content": "write to anna@firm.example"}])
ENTRY = Entry(
    "req-abc", 1000.5, "", "/v1/chat/completions", "lora", LINEAGE, 200, ASKED, "done", False, 7, 3, 0.25, 2.0, 1
)
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_the_names_are_those_of_the_pinned_version() -> None:
    from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
    from opentelemetry.semconv.schemas import Schemas

    known = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI_")}
    said = {name for name in attributes(ENTRY, True) if name.startswith("gen_ai.")}
    assert len(said) == 10 and said <= known
    assert f"https://opentelemetry.io/schemas/{SEMCONV}" in [one.value for one in Schemas]
    operations = {one.value for one in gen_ai_attributes.GenAiOperationNameValues}
    assert set(OPERATIONS.values()) - operations == {"classify", "tag"}


def test_what_a_span_holds() -> None:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    spans = Spans(exporter)
    spans.tell(ENTRY, PARENT)
    spans.tell(replace(ENTRY, status=503, route="/v1/ask", arm="b"), "nonsense")
    spans.stop()
    first, second = exporter.get_finished_spans()
    assert first.name == "chat lora" and (first.start_time, first.end_time) == (1000500000000, 1002500000000)
    assert first.parent is not None and f"{first.parent.trace_id:032x}" in PARENT and second.parent is None
    held = dict(first.attributes or {})
    assert held["gen_ai.response.id"] == "chatcmpl-abc" and held["gen_ai.usage.output_tokens"] == 3
    assert held["gen_ai.response.time_to_first_chunk"] == 0.25 and held["dragoman.data"] == "d1"
    assert "anna" not in str(held) and "done" not in held.values()
    assert not second.status.is_ok and dict(second.attributes or {})["error.type"] == "503"


def test_texts_are_sent_only_where_asked_and_masked() -> None:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    spans = Spans(exporter, texts=True, mask=hints)
    spans.tell(ENTRY)
    spans.tell(replace(ENTRY, prompt='["a", "b"]', route="/v1/classify"))
    spans.stop()
    first, second = (dict(one.attributes or {}) for one in exporter.get_finished_spans())
    assert "anna" not in str(first) and "write to [" in str(first["gen_ai.input.messages"])
    assert json.loads(str(second["gen_ai.input.messages"]))[1] == {
        "role": "user",
        "parts": [{"type": "text", "content": "b"}],
    }


def test_a_server_sends_one_a_request_to_the_address_that_was_given(start: Start, fake: Fake) -> None:
    taken: list[tuple[str, bytes]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        running = start(fake)
        spans = open_spans(f"http://127.0.0.1:{receiver.server_port}")
        running.app.state.context.spans = spans
        assert running.classify("a private text").status_code == 200
        assert running.classify("poison").status_code == 500
        assert httpx.get(running.url + "/healthz", trust_env=False).status_code == 200
        asyncio.run(asyncio.to_thread(spans.stop))
        receiver.shutdown()
        thread.join()
    assert [path for path, _ in taken] == ["/v1/traces"]
    body = taken[0][1]
    assert body.count(b"gen_ai.operation.name") == 2 and b"private" not in body and b"error.type" in body


def test_what_is_no_address_is_said() -> None:
    for wrong in ("127.0.0.1:4318", "ftp://a", "http://"):
        with pytest.raises(UserError, match="address"):
            open_spans(wrong)
