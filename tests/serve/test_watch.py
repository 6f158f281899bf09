"""Clients that hold a connection and give nothing lose it; the others do not notice."""

import contextlib
import socket
import time

from dragoman.serve.limits import Limits
from tests.serve.conftest import Fake, Start


def test_slow_headers_are_cut(start: Start, fake: Fake) -> None:
    running = start(fake, Limits(header_seconds=0.5))
    clients = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(50)]
    clients[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: loc")
    began = time.monotonic()
    assert running.classify("a").status_code == 200, "the others do not notice"
    until = began + 5
    while running.server.server_state.connections and time.monotonic() < until:
        time.sleep(0.1)
        if time.monotonic() < began + 0.4:
            clients[0].sendall(b"a")  # a byte now and then keeps nothing open
    assert not running.server.server_state.connections
    for client in clients:
        client.close()


def test_half_a_request_after_a_whole_one_is_cut(start: Start, fake: Fake) -> None:
    running = start(fake, Limits(header_seconds=0.5))
    whole = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    began = time.monotonic()
    said = running.raw(whole + b"GET /healthz HTTP/1.1\r\nHo", seconds=8)
    assert said.startswith(b"HTTP/1.1 200 ")
    assert time.monotonic() - began < 4


def test_an_answer_nobody_reads_is_cut(start: Start, fake: Fake) -> None:
    running = start(fake, Limits(write_seconds=0.5, header_seconds=60, connections=10))
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", running.port))
    page = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    client.settimeout(5)
    with contextlib.suppress(TimeoutError, ConnectionError):
        client.sendall(page * 5000)  # far more answers than the buffers between us can hold
    running.wait(lambda: not running.server.server_state.connections, seconds=10)
    client.close()


def test_too_many_connections_are_refused(start: Start, fake: Fake) -> None:
    running = start(fake, Limits(connections=5))
    clients = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(6)]
    running.wait(lambda: len(running.server.server_state.connections) == 6)
    assert running.classify("a").status_code == 503
    for client in clients:
        client.close()
    running.wait(lambda: not running.server.server_state.connections)
    assert running.classify("a").status_code == 200
