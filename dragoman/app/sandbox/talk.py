"""The talk with a child: what it is told goes in, what it prints and answers comes out, up to a size and a moment."""

import os
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass, field

__all__ = ["Heard", "talk"]

STARTING = 20.0  # seconds that Python may take to start and to shut itself in, on a machine that is busy
STEP = 32 << 10  # bytes read or written at once
NOTICES = (b"locked\n", b"ready\n")


@dataclass
class Heard:
    """What came out of a child, and how it ended."""

    printed: bytearray = field(default_factory=bytearray)
    results: bytearray = field(default_factory=bytearray)
    status: int | None = None
    "its exit status, negative for a signal; None where it was ended by us"
    problem: str = ""
    "why it was ended by us"

    @property
    def locked(self) -> bool:
        """Whether it shut itself in."""
        return self.results.startswith(NOTICES[0])

    @property
    def ready(self) -> bool:
        """Whether the program was compiled, or could not be."""
        return self.results.startswith(b"".join(NOTICES))

    @property
    def rest(self) -> bytes:
        """What came after the notices."""
        return bytes(self.results).removeprefix(NOTICES[0]).removeprefix(NOTICES[1])


def talk(
    process: "subprocess.Popen[bytes]", first: bytes, word: bytes, seconds: float, output: int, result: int
) -> Heard:
    """Hear a child out: it is told `first`, and `word` once it is ready; then it has so many seconds.

    When this returns, the child and whatever it started in its session are ended.
    """
    heard = Heard()
    ending = os.pidfd_open(process.pid)
    try:
        _listen(process, heard, first, word, seconds, output, result, ending)
    finally:
        os.close(ending)
        _end(process)
    if not heard.problem:
        heard.status = process.returncode
    return heard


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill its whole group while it is not yet waited for, so that its number is still its own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None and not pipe.closed:
            try:
                pipe.close()
            except OSError:  # what was still to be written has no reader any more
                continue


def _listen(
    process: "subprocess.Popen[bytes]",
    heard: Heard,
    first: bytes,
    word: bytes,
    seconds: float,
    output: int,
    result: int,
    ending: int,
) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    waiting, told = memoryview(first), False
    until = time.monotonic() + STARTING
    into = process.stdin.fileno()
    os.set_blocking(into, False)
    sinks = {process.stdout.fileno(): heard.printed, process.stderr.fileno(): heard.results}
    with selectors.DefaultSelector() as eyes:
        eyes.register(into, selectors.EVENT_WRITE)
        for source in sinks:
            eyes.register(source, selectors.EVENT_READ)
        eyes.register(ending, selectors.EVENT_READ)
        while eyes.get_map():
            left = until - time.monotonic()
            events = eyes.select(left) if left > 0 else []
            if not events:
                heard.problem = f"it took more than {seconds:g} seconds" if heard.ready else "it did not start in time"
                return
            for key, _ in events:
                if key.fd in sinks:
                    piece = os.read(key.fd, STEP)
                    sinks[key.fd].extend(piece)
                    if not piece:
                        eyes.unregister(key.fd)
                elif key.fd == into:
                    waiting = _write(into, waiting)
                    if not waiting:
                        eyes.unregister(into)
                else:
                    eyes.unregister(ending)
            if len(heard.printed) > output:
                heard.problem = f"it printed more than {output} bytes"
                return
            if len(heard.results) > result:
                heard.problem = f"its answer is longer than {result} bytes"
                return
            if heard.ready and not told:
                told, until = True, time.monotonic() + seconds
                waiting = memoryview(word)
                eyes.register(into, selectors.EVENT_WRITE)


def _write(into: int, waiting: memoryview) -> memoryview:
    """What is left after as much as fits; nothing where nobody reads any more."""
    try:
        return waiting[os.write(into, waiting[:STEP]) :]
    except BlockingIOError:
        return waiting
    except BrokenPipeError:
        return memoryview(b"")
