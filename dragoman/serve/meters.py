"""What the server counts, in the form Prometheus reads, in a registry of its own."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Meters"]

SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128)
TOKENS = (16, 64, 256, 1024, 4096, 16_384, 65_536)


class Meters:
    """The figures of one server. Labels hold only known routes and statuses, so no client can make them grow."""

    def __init__(self, run: str) -> None:
        self.registry = CollectorRegistry()
        where = self.registry
        self.requests = Counter(
            "dragoman_requests", "Requests by route and status.", ["route", "status"], registry=where
        )
        self.seconds = Histogram(
            "dragoman_request_seconds", "Seconds from request to answer.", ["route"], buckets=SECONDS, registry=where
        )
        self.texts = Counter("dragoman_texts", "Texts answered.", registry=where)
        self.batches = Histogram("dragoman_batch_texts", "Texts the model read at once.", buckets=TEXTS, registry=where)
        self.failures = Counter("dragoman_model_failures", "Batches on which the model failed.", registry=where)
        self.refusals = Counter("dragoman_refusals", "Answers that were refused.", registry=where)
        self.guard_hits = Counter("dragoman_guard_hits", "What guards took out or withheld.", registry=where)
        self.read = Counter("dragoman_prompt_tokens", "Tokens of prompts.", registry=where)
        self.reused = Counter(
            "dragoman_reused_tokens", "Tokens of prompts that were read for an earlier request.", registry=where
        )
        self.written = Counter("dragoman_written_tokens", "Tokens written.", registry=where)
        self.first = Histogram(
            "dragoman_first_token_seconds",
            "Seconds from a request to its first token.",
            buckets=SECONDS,
            registry=where,
        )
        self.between = Histogram(
            "dragoman_between_tokens_seconds", "Seconds between two steps of an answer.", buckets=STEPS, registry=where
        )
        self.batch = Histogram(
            "dragoman_step_answers", "Answers that one step of the engine wrote at.", buckets=TEXTS, registry=where
        )
        self.answer = Histogram(
            "dragoman_answer_tokens", "Tokens of an answer.", ["route"], buckets=TOKENS, registry=where
        )
        self.thumbs = Counter("dragoman_feedback", "What people said of answers.", ["thumb"], registry=where)
        Gauge("dragoman_run_info", "The run that is served.", ["run"], registry=where).labels(run).set(1)

    def watch(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Show a gauge that is read at the moment it is asked for."""
        Gauge(f"dragoman_{name}", meaning, registry=self.registry).set_function(value)

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count one request that ended."""
        self.requests.labels(route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def judge(self, thumb: int | None, corrected: bool) -> None:
        """Count what somebody said of an answer: a thumb of 1, -1 or None, and whether it was corrected."""
        if thumb is not None:
            self.thumbs.labels("up" if thumb > 0 else "down").inc()
        if corrected:
            self.thumbs.labels("corrected").inc()

    def keep(self, route: str, refused: bool, guard_hits: int, written: int) -> None:
        """Count one answer that was given."""
        self.refusals.inc(int(refused))
        self.guard_hits.inc(guard_hits)
        if written:
            self.answer.labels(route).observe(written)

    def page(self) -> bytes:
        """All figures as text."""
        return generate_latest(self.registry)
