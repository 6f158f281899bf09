"""Traces: one OpenTelemetry span a request, in the names of the conventions for generative AI, sent to one address.

Off unless an address is given. The names change: they are of one version, SEMCONV, and stand here alone. Prompts and
answers are not in spans unless that is asked for, and then what is personal is masked as in the journal. Spans wait in
memory and go from a thread of their own; where nobody takes them they are dropped, and no request waits for it.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dragoman import __version__
from dragoman.core.errors import UserError
from dragoman.serve.journal_acts import Find, mask_entry
from dragoman.serve.journal_schema import Entry

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = ["OPERATIONS", "SEMCONV", "Spans", "attributes", "open_spans"]

SEMCONV = "1.44.0"
"The version of the semantic conventions whose names these are; those of generative AI are still in development."
SCHEMA = f"https://opentelemetry.io/schemas/{SEMCONV}"
OPERATIONS = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "text_completion",
    "/v1/embeddings": "embeddings",
    "/v1/ask": "invoke_agent",
    "/v1/classify": "classify",
    "/v1/tag": "tag",
}
"What a route does, by its name there; the last two have none, and theirs is ours."
IDS = {"/v1/chat/completions": "chatcmpl", "/v1/completions": "cmpl", "/v1/ask": "ask"}
SECONDS = 10.0  # the longest that the server's end waits for spans to go
NANO = 1_000_000_000


def attributes(entry: Entry, texts: bool = False) -> dict[str, str | int | float | bool]:
    """What a span says of a request: `gen_ai.*` by the conventions, and `dragoman.*` for where the answer comes from.
    With `texts`, what was asked and answered too."""
    lineage = json.loads(entry.lineage or "{}")
    operation = OPERATIONS.get(entry.route, entry.route)
    found: dict[str, str | int | float | bool] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "dragoman",
        "gen_ai.request.model": entry.model,
        "gen_ai.response.model": str(lineage.get("run") or entry.model),
        "gen_ai.response.id": f"{IDS.get(entry.route, 'req')}-{entry.id.partition('-')[2]}",
        "gen_ai.usage.input_tokens": entry.read,
        "gen_ai.usage.output_tokens": entry.written,
        "http.route": entry.route,
        "http.response.status_code": entry.status,
        "dragoman.refused": entry.refused,
        "dragoman.guard_hits": entry.guard_hits,
    }
    found |= {f"dragoman.{name}": str(value) for name, value in lineage.items() if value}
    if entry.first:
        found["gen_ai.response.time_to_first_chunk"] = entry.first
    if entry.arm:
        found["dragoman.arm"] = entry.arm
    if entry.status >= 400:
        found["error.type"] = str(entry.status)
    if texts and entry.prompt:
        found["gen_ai.input.messages"] = json.dumps(_messages(json.loads(entry.prompt), "user"), ensure_ascii=False)
        found["gen_ai.output.messages"] = json.dumps(_messages([entry.answer], "assistant"), ensure_ascii=False)
    return found


def _messages(said: Sequence[Any], role: str) -> list[dict[str, Any]]:
    """Messages, or plain texts of a role, in the form of the conventions."""
    plain = [one if isinstance(one, dict) else {"role": role, "content": str(one)} for one in said]
    return [{"role": one["role"], "parts": [{"type": "text", "content": one["content"]}]} for one in plain]


class Spans:
    """Sends one span a request to an exporter."""

    def __init__(self, exporter: "SpanExporter", texts: bool = False, mask: Find | None = None) -> None:
        """`mask` finds what is personal, where texts are sent."""
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self.texts = texts
        self.mask = mask
        named = Resource({"service.name": "dragoman", "service.version": __version__})
        self._provider = TracerProvider(resource=named, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("dragoman.serve", __version__, schema_url=SCHEMA)

    def tell(self, entry: Entry, parent: str = "") -> None:
        """Note a request that is over. `parent` is the header traceparent that it came with, if any (W3C)."""
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        context = TraceContextTextMapPropagator().extract({"traceparent": parent}) if parent else None
        shown = mask_entry(entry, self.mask) if self.texts else entry
        told = attributes(shown, self.texts)
        span = self._tracer.start_span(
            f"{told['gen_ai.operation.name']} {entry.model}",
            context=context,
            kind=SpanKind.INTERNAL,  # the conventions' kind for a model of the same process
            attributes=told,
            start_time=int(entry.at * NANO),
        )
        if entry.status >= 400:
            span.set_status(Status(StatusCode.ERROR))
        span.end(int((entry.at + entry.seconds) * NANO))

    def stop(self) -> None:
        """Send what waits, for a few seconds at the most."""
        self._provider.force_flush(int(SECONDS * 1000))
        self._provider.shutdown()


def open_spans(endpoint: str, texts: bool = False, mask: Find | None = None) -> Spans:
    """Spans to an OTLP receiver by HTTP, such as http://127.0.0.1:4318/v1/traces; an address without a path gets that
    one. Raises UserError where the extra is not installed or the address is none."""
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError("the address of traces is none", "say spans.to=http://127.0.0.1:4318")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise UserError("traces need OpenTelemetry, which is not installed", 'pip install "dragoman[otel]"') from None
    if parts.path in ("", "/"):
        parts = parts._replace(path="/v1/traces")
    return Spans(OTLPSpanExporter(endpoint=parts.geturl(), timeout=SECONDS), texts, mask)
