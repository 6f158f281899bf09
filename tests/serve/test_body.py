"""Bodies as attackers write them: each is refused with a status of its own and none of its content."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.serve.body import parse, strict
from dragoman.serve.label import texts_of
from dragoman.serve.limits import Limits
from dragoman.serve.refused import Refused
from tests.serve.conftest import Fake, Running, Start

LIMITS = Limits(texts=4, characters=100)
HEAD = b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (b'{"input": "a"}', ["a"]),
        (b'{"inputs": ["a", "b"]}', ["a", "b"]),
        (b'{"input": "[[[[{{{{"}', ["[[[[{{{{"]),
        (b'{"input": "\\"[[[{{{"}', ['"[[[{{{']),
        (b'{"input": "\\ud83d\\ude00"}', ["\U0001f600"]),
        ('{"input": "ẞ\u202e"}'.encode(), ["ẞ\u202e"]),
    ],
)
def test_what_is_read(body: bytes, texts: list[str]) -> None:
    assert texts_of(parse(body, LIMITS), LIMITS) == tuple(texts)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"null", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'"text"', 400),
        (b'{"input": "a"', 400),
        (b'{"input": "a"} x', 400),
        (b'{"input": "a", "input": "b"}', 400),
        (b'{"input": "a", "inputs": ["b"]}', 400),
        (b'{"input": "a", "extra": 1}', 400),
        (b'{"input": NaN}', 400),
        (b'{"input": -Infinity}', 400),
        (b'{"input": 1e400}', 400),
        (b'{"input": ' + b"9" * 5000 + b"}", 400),
        (b'{"input": null}', 400),
        (b'{"input": ["a"]}', 400),
        (b'{"inputs": "a"}', 400),
        (b'{"inputs": []}', 400),
        (b'{"inputs": [1]}', 400),
        (b'{"inputs": [["a"]]}', 400),
        (b'{"inputs": ["a", {"b": "c"}]}', 400),
        (b'{"input": " \\t\\n"}', 400),
        (b'{"input": "a\\u0000b"}', 400),
        (b'{"input": "\\ud800"}', 400),
        (b'{"input": "\\udc00\\ud800"}', 400),
        (b'{"input": "\xff"}', 400),
        (b'\xef\xbb\xbf{"input": "a"}', 400),
        ('{"input": "a"}'.encode("utf-16"), 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 100_000, 400),
        (b'{"inputs": ["a", "a", "a", "a", "a"]}', 413),
        (b'{"input": "' + b"a" * 101 + b'"}', 413),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_refused(body: bytes, status: int) -> None:
    with pytest.raises(Refused) as refused:
        texts_of(parse(body, LIMITS), LIMITS)
    assert refused.value.status == status


@pytest.mark.parametrize("piece", [b'\\"', b'"', b"\\", b"[", b'{"', b'"a",', b'\\"\\'])
def test_no_body_is_slow_to_refuse(piece: bytes) -> None:
    began = time.process_time()
    with pytest.raises(Refused):
        texts_of(parse((b'{"input": "' + piece * (1 << 20))[: 1 << 20], LIMITS), LIMITS)
    assert time.process_time() - began < 1, "a quadratic search takes minutes here"


@given(
    st.binary(max_size=60)
    | st.recursive(st.none() | st.text(), st.lists, max_leaves=5).map(lambda v: json.dumps(v).encode())
)
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_texts_or_refused(body: bytes) -> None:
    status = 200
    try:
        assert all(isinstance(text, str) for text in texts_of(parse(body, LIMITS), LIMITS))
    except Refused as refused:
        status = refused.status
    assert status in (200, 400, 413)


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        (b"Content-Length: 5000000\r\n" + JSON, b"", 413),
        (b"Content-Length: 2\r\n", b"{}", 415),
        (b"Content-Length: 2\r\nContent-Type: text/plain\r\n", b"{}", 415),
        (b"Content-Length: 2\r\nContent-Type: application/json; charset=utf-16\r\n", b"{}", 415),
        (b"Content-Length: 2\r\nContent-Encoding: gzip\r\n" + JSON, b"{}", 415),
        (b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n" + JSON, b"0\r\n\r\n", 400),
        (b"Content-Length: 2\r\nContent-Length: 3\r\n" + JSON, b"{}", 400),
        (b"Content-Length: -1\r\n" + JSON, b"", 400),
        (b"Transfer-Encoding: chunked\r\n" + JSON, b"zz\r\n", 400),
    ],
    ids=lambda value: str(value)[:60],
)
def test_headers_are_judged_before_the_body(standing: Running, head: bytes, body: bytes, status: int) -> None:
    said = standing.raw(HEAD + head + b"\r\n" + body, seconds=0.3)
    assert said.startswith(b"HTTP/1.1 %d " % status), said
    assert standing.fake.seen == []


def test_a_chunked_body_is_bounded_too(start: Start, fake: Fake) -> None:
    running = start(fake, Limits(body_bytes=10_000))
    chunk = b"1000\r\n" + b"a" * 4096 + b"\r\n"
    said = running.raw(HEAD + b"Transfer-Encoding: chunked\r\n" + JSON + b"\r\n" + chunk * 4, seconds=0.5)
    assert said.startswith(b"HTTP/1.1 413 "), said


def test_a_refused_body_that_goes_on_is_cut(start: Start, fake: Fake) -> None:
    running = start(fake)
    began = time.monotonic()
    said = running.raw(HEAD + b"Content-Length: 900000000\r\n" + JSON + b"\r\nabc", seconds=10)
    assert said.startswith(b"HTTP/1.1 413 ")
    assert time.monotonic() - began < 6


def test_a_slow_body_is_cut(start: Start, fake: Fake) -> None:
    running = start(fake, Limits(body_seconds=0.3))
    said = running.raw(HEAD + b"Content-Length: 100\r\n" + JSON + b'\r\n{"inp', seconds=5)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b'"timeout"' in said


def test_all_bodies_together_are_bounded(start: Start, fake: Fake) -> None:
    running = start(fake, Limits(held_bytes=1000))
    assert running.classify("a" * 500).status_code == 200
    assert running.classify("a" * 1500).status_code == 503
    assert running.classify("a" * 500).status_code == 200, "what was held is given back"


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": 1e400}', '{"a": 1, "a": 2}', '"\\ud800"', '"\\u0000"', "{"])
def test_a_text_inside_the_body_is_read_as_strictly(text: str) -> None:
    with pytest.raises((ValueError, Refused)):
        strict(text)
    assert strict('{"a": [1, "\\ud83d\\ude42"]}') == {"a": [1, "\U0001f642"]}
