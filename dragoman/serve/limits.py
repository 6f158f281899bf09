"""How much the server takes from anybody before it says no."""

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of the server; each is checked before the work it bounds is done."""

    body_bytes: int = 1 << 20
    "The largest request body, in bytes."
    held_bytes: int = 64 << 20
    "The most bytes of bodies held at once, over all requests."
    texts: int = 64
    "The most texts in one request."
    characters: int = 20_000
    "The most characters in one text."
    brackets: int = 20_000
    "The most lists and objects in one body, their ends counted too."
    depth: int = 32
    "How deep lists and objects of a body may stand in each other."
    messages: int = 512
    "The most messages in one request."
    prompt_characters: int = 400_000
    "The most characters of all messages of a request, or of one text to go on from."
    tokens: int = 4096
    "The most tokens of one answer."
    answers: int = 16
    "The most answers to one prompt."
    queue: int = 32
    "The most requests that wait for a model; the next one gets 429."
    batch: int = 32
    "The most texts the model reads at once."
    connections: int = 1024
    "The most open connections."
    header_seconds: float = 10.0
    "How long a client may take to send its request line and headers."
    body_seconds: float = 10.0
    "How long a client may take to send its body."
    answer_seconds: float = 30.0
    "How long a request may wait for its answer."
    wait_seconds: float = 60.0
    "How long a request may wait for its written answer to begin."
    whole_seconds: float = 600.0
    "How long a written answer may take in all."
    stream_characters: int = 256 << 10
    "The most characters of an answer that wait for a client to read them."
    write_seconds: float = 30.0
    "How long a client may leave its answer unread."
    drain_seconds: float = 30.0
    "How long accepted requests may take to end after a stop is asked for."
    hosts: tuple[str, ...] = ()
    "Further names the server may be called by, such as models.example.org."
