"""Writers that are killed, and a power that fails: after each, a store is opened and every source is whole.

python -m tests.rag.crashing FOLDER POINTS [SEED] prints one JSON object of what was seen.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from dragoman.core.documents import Batch
from dragoman.rag.store import SqliteStore
from tests.rag.shelves import batch, removal

__all__ = ["crash"]

SOURCES = 6
LONGEST = 0.05  # seconds that a writer lives


def given(source: int, version: int) -> Batch:
    """A version of a source: some pieces, some shared with other sources; every seventh removes it."""
    if version % 7 == 6:
        return removal(f"s{source}")
    own = [f"source {source} version {version} piece {number}" for number in range(version % 5)]
    return batch(f"s{source}", [*own, f"shared {version % 3}", f"shared {version % 3}"], str(version), {"v": version})


def write(place: Path, pipe: int, versions: list[int], seed: int) -> None:
    """Apply one version after the other until killed, telling of each before and after."""
    store = SqliteStore(place, language="en")
    draw = random.Random(seed)
    while True:
        source = draw.randrange(SOURCES)
        versions[source] += 1
        os.write(pipe, f"{source} {versions[source]} begun\n".encode())
        store.apply(given(source, versions[source]))
        os.write(pipe, f"{source} {versions[source]} done\n".encode())


def killed(place: Path, versions: list[int], draw: random.Random) -> tuple[list[int], tuple[int, int] | None]:
    """Let a child write and kill it: the versions that it said were done, and the one it was at."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        with contextlib.suppress(BaseException):
            write(place, writing, versions, draw.randrange(1 << 30))
        os._exit(1)
    os.close(writing)
    time.sleep(draw.uniform(0, LONGEST))
    os.kill(child, signal.SIGKILL)
    with os.fdopen(reading) as said:
        lines = said.read().split("\n")[:-1]
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the writer ended by itself"
    done, at = list(versions), None
    for line in lines:
        source, version, word = line.split()
        if word == "done":
            done[int(source)], at = int(version), None
        else:
            at = (int(source), int(version))
    return done, at


def whole(place: Path, done: list[int], at: tuple[int, int] | None) -> list[int]:
    """See that every source is the version that was done, or the one that was being written; what they are."""
    store = SqliteStore(place, language="en")
    verified = store.verify()
    assert not verified.problems, verified.problems
    held, found = store.sources(), list(done)
    for source in range(SOURCES):
        choices = [done[source]] + ([at[1]] if at and at[0] == source else [])
        is_there = [one for one in choices if held.get(f"s{source}", "") == given(source, one).version]
        assert is_there, f"s{source} is {held.get(f's{source}')}, not one of {choices}"
        found[source] = is_there[-1]
        pieces = tuple(chunk for chunk in store.scan() if chunk.source == f"s{source}")
        assert pieces == given(source, found[source]).chunks
        assert store.apply(given(source, found[source])).unchanged
    store.close()
    return found


def cut(place: Path, draw: random.Random) -> bool:
    """Cut the log of a copy at some byte, as a power cut may: what is left is a store without a problem."""
    log = place.with_name(place.name + "-wal")
    if not log.exists() or not log.stat().st_size:
        return False
    copy = place.with_name("cut.db")
    for name in ("cut.db-wal", "cut.db-shm"):
        copy.with_name(name).unlink(missing_ok=True)
    shutil.copy(place, copy)
    data = log.read_bytes()
    end = draw.randrange(len(data) + 1)
    copy.with_name("cut.db-wal").write_bytes(
        data[:end] + (b"\0" * min(100, len(data) - end) if draw.random() < 0.5 else b"")
    )
    store = SqliteStore(copy, language="en")
    verified = store.verify()
    assert not verified.problems, verified.problems
    for source, version in store.sources().items():
        pieces = tuple(chunk for chunk in store.scan() if chunk.source == source)
        assert pieces == given(int(source[1:]), int(version)).chunks
    store.close()
    return True


def crash(folder: Path, points: int, seed: int = 0) -> dict[str, int]:
    """Kill a writer at so many points; how many of them stood inside of a write, and how many logs were cut."""
    draw = random.Random(seed)
    place = folder / "index.db"
    SqliteStore(place).close()
    warm = SqliteStore(folder / "warm.db", language="en")  # what is imported late is imported before a writer is born
    warm.apply(given(0, 1))
    warm.close()
    versions = [6] * SOURCES  # of a removal: nothing is there
    seen = {"points": 0, "inside": 0, "kept": 0, "cuts": 0, "applied": 0}
    for _ in range(points):
        done, at = killed(place, versions, draw)
        seen["cuts"] += cut(place, draw)
        before, versions = sum(versions), whole(place, done, at)
        seen["points"] += 1
        seen["inside"] += at is not None
        seen["kept"] += at is not None and versions[at[0]] == at[1]
        seen["applied"] += sum(versions) - before
    return seen


if __name__ == "__main__":
    print(json.dumps(crash(Path(sys.argv[1]), int(sys.argv[2]), int((sys.argv[3:] or ["0"])[0]))))
