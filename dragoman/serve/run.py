"""From models to a listening server: the address, the port, what is told, and a stop that loses nothing."""

import asyncio
import contextlib
import errno
import ipaddress
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from types import FrameType

import uvicorn
from fastapi import FastAPI

from dragoman.core.errors import Busy, Stopped, UserError
from dragoman.serve.api import build, owners
from dragoman.serve.context import Context
from dragoman.serve.guard import LOOPBACK
from dragoman.serve.limits import Limits
from dragoman.serve.watch import Watch

__all__ = ["is_loopback", "listen", "make_server", "noted_signals", "run_server", "serve", "welcome"]

TRIED = {
    "classify": ("/v1/classify", '{"input": "a text"}'),
    "tag": ("/v1/tag", '{"input": "a text"}'),
    "embed": ("/v1/embeddings", '{"input": "a text"}'),
    "ask": ("/v1/ask", '{"question": "a question"}'),
    "write": ("/v1/completions", '{"prompt": "Once upon a time"}'),
    "chat": ("/v1/chat/completions", '{"messages": [{"role": "user", "content": "hello"}]}'),
}
"""A request to try, by task."""
HEADERS = 16 << 10  # bytes of request line and headers together


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address. A name other than localhost is taken as reachable by others."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises Busy when the port is taken and UserError when the address is not one of ours."""
    if not 0 <= port <= 65_535:
        raise UserError(f"{port} is not a port", "choose one from 1 to 65535: port=8000")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        raise UserError(f"there is no address '{host}'", "say host=127.0.0.1, or an address of this machine") from None
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)  # asyncio sends without delay only where the protocol says TCP
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise Busy(
                f"port {port} of {host} is taken", f"choose another one: port={port + 1}, or port=0 for any"
            ) from None
        if error.errno in (errno.EACCES, errno.EPERM):
            raise UserError(f"port {port} may not be opened by this user", "choose one above 1023: port=8000") from None
        raise UserError(f"{host} is not an address of this machine", "say host=127.0.0.1") from None
    return listener


def make_server(app: FastAPI, limits: Limits) -> uvicorn.Server:
    """The HTTP server around the application, with nothing on that is not needed."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=HEADERS,
        limit_concurrency=limits.connections,
        timeout_graceful_shutdown=int(limits.drain_seconds) + 2,
    )
    return uvicorn.Server(config)


async def run_server(server: uvicorn.Server, app: FastAPI, listener: socket.socket, limits: Limits) -> None:
    """Serve until the server is asked to stop and every accepted request is answered or refused."""
    watch = asyncio.create_task(Watch(server, owners(app.state.context), limits).look())
    try:
        await server.serve(sockets=[listener])
    finally:
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch


def welcome(url: str, context: Context, page: bool) -> str:
    """What a person sees once the server listens: where, what, and a line to try."""
    first = context.catalogue.first
    key = " -H 'Authorization: Bearer KEY'" if context.keyring is not None else ""
    path, body = TRIED.get(first.task, TRIED["chat"])
    names = ", ".join(served.name for served in context.catalogue)
    lines = [f"serving {names} at {url} (Ctrl-C stops)"]
    lines += [f"talk to it at {url}/"] if page else []
    last = []
    if context.journal is not None and context.journal.policy.on:
        last = [f"what is asked is kept in {context.journal.path}; keep.on=false keeps nothing"]
    return "\n".join([*lines, f"try: curl -s {url}{path}{key} -H 'Content-Type: application/json' -d '{body}'", *last])


def serve(context: Context, *, host: str = "127.0.0.1", port: int = 8000, page: bool = True) -> None:
    """Serve until SIGINT or SIGTERM, then answer what was accepted and raise Stopped.

    Raises UserError before anything is opened when the address can be reached by others and no key is given,
    and Busy when the port is taken.
    """
    private = is_loopback(host)
    if not private and context.keyring is None:
        raise UserError(
            f"{host} can be reached by others, and no key is given",
            "make one with: dragoman serve --new-key keys=keys.txt; then add keys=keys.txt, or say host=127.0.0.1",
        )
    listener = listen(host, port)
    names = LOOPBACK if private else (*LOOPBACK, host)
    app = build(context, hosts=names, addresses=not private, page=page)
    shown = f"[{host}]" if ":" in host else host
    server = make_server(app, context.limits)
    with noted_signals(server) as noted:
        sys.stderr.write(welcome(f"http://{shown}:{listener.getsockname()[1]}", context, page) + "\n")
        if not private:
            sys.stderr.write("others can reach this address and its keys travel unencrypted: put TLS in front of it\n")
        sys.stderr.flush()
        asyncio.run(run_server(server, app, listener, context.limits))
    raise Stopped(noted[0] if noted else signal.SIGTERM, "the server stopped; every accepted request got its answer")


@contextlib.contextmanager
def noted_signals(server: uvicorn.Server) -> Iterator[list[int]]:
    """The signals that stopped the server. It raises each again once it has drained; here that only makes a note.

    One that comes before the server listens for signals itself stops it all the same.
    """
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted  # signals reach the main thread alone
        return

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        server.should_exit = True

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield noted
    finally:
        for number, old in before.items():
            signal.signal(number, old)
