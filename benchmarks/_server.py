"""A server in a process of its own, for as long as a benchmark asks it."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = ["free_port", "running"]


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def running(command: Sequence[str], ready: str, folder: Path, patience: float) -> Iterator["subprocess.Popen[bytes]"]:
    """The process of a server, started in a folder, once `ready` answers 200; it is stopped at the end.

    Raises SystemExit with the end of its log where it does not come up within so many seconds.
    """
    import httpx

    log = folder / "server.log"
    with log.open("ab") as stream:
        said = {**os.environ, "HF_HUB_OFFLINE": "1"}
        process = subprocess.Popen(command, cwd=folder, stdout=stream, stderr=stream, env=said)
        try:
            until = time.monotonic() + patience
            while True:
                if process.poll() is not None or time.monotonic() > until:
                    raise SystemExit(f"the server did not come up:\n{log.read_text()[-2000:]}")
                try:
                    if httpx.get(ready, timeout=2, trust_env=False).status_code == 200:
                        break
                except httpx.HTTPError:
                    pass
                time.sleep(0.05)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(45)
            except subprocess.TimeoutExpired:
                process.kill()
