"""A real HTTP server for one test, in a thread, on a free port of this machine."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from dragoman.serve.run import listen

__all__ = ["answering"]


@contextmanager
def answering(server: uvicorn.Server) -> Iterator[str]:
    """The server runs for as long as the block; its address."""
    listener: socket.socket = listen("127.0.0.1", 0)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
