"""A server's journal is killed while it writes, again and again: whatever was acknowledged is in the file.

python -m tests.serve.journal_crashing FOLDER POINTS [SEED] prints one JSON object of what was seen.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

from dragoman.serve.journal import Entry, Journal, Policy
from dragoman.serve.journal_read import walk

__all__ = ["crash"]

WRITERS = 8
LONGEST = 0.4  # seconds that a server lives


async def write(place: Path, pipe: int, life: int) -> None:
    """Write requests, feedback and conversations from many tasks at once, telling of each when it is acknowledged."""
    journal = Journal(place, Policy())
    journal.start()

    async def one(writer: int) -> None:
        number = 0
        while True:
            name, number = f"req-{life}-{writer}-{number}", number + 1
            prompt = json.dumps(name * random.Random(name).randrange(1, 400))
            now = time.time()
            journal.spend("a", now, 1, 2)
            await journal.keep(Entry(name, now, "a", "/", "m", "{}", 200, prompt, name, False, 1, 1, 0.1, 0.1))
            os.write(pipe, f"entry {name}\n".encode())
            if await journal.note(name, "a", -1, name, ""):
                os.write(pipe, f"note {name}\n".encode())
            await journal.put_conversation("a", f"writer-{writer}", name, prompt)
            os.write(pipe, f"put {writer} {name}\n".encode())

    await asyncio.gather(*(one(writer) for writer in range(WRITERS)))


def killed(place: Path, life: int, draw: random.Random) -> list[list[str]]:
    """Let a child write and kill it: what it acknowledged."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        with contextlib.suppress(BaseException):
            asyncio.run(write(place, writing, life))
        os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as said:
        time.sleep(draw.uniform(0, LONGEST))
        os.kill(child, signal.SIGKILL)
        lines = [line.split() for line in said.read().split("\n")[:-1]]
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the writer ended by itself"
    return lines


def crash(folder: Path, points: int, seed: int = 0) -> dict[str, int]:
    """Kill a server at so many points; what it had acknowledged by then, all of which is in the file."""
    draw, place = random.Random(seed), folder / "journal.db"
    entries: set[str] = set()
    notes: set[str] = set()
    seen = {"points": 0, "hot": 0, "entries": 0, "notes": 0}
    for life in range(points):
        said = killed(place, life, draw)
        seen["points"] += 1
        seen["hot"] += place.with_name("journal.db-journal").exists() or place.with_name("journal.db-wal").exists()
        entries |= {line[1] for line in said if line[0] == "entry"}
        notes |= {line[1] for line in said if line[0] == "note"}
        if not place.exists() or not place.stat().st_size:
            continue
        with contextlib.closing(sqlite3.connect(place)) as connection:
            if not connection.execute("PRAGMA user_version").fetchone()[0]:
                continue  # killed before there was a table
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            titles = {title for (title,) in connection.execute("SELECT title FROM conversations")}
            requests, tokens = connection.execute(
                "SELECT coalesce(sum(requests), 0), coalesce(sum(tokens), 0) FROM spent WHERE grain = 86400"
            ).fetchone()
        kept = {one.entry.id: one for one in walk(place)}
        assert entries <= kept.keys(), f"lost: {sorted(entries - kept.keys())[:5]}"
        assert all(kept[name].correction == name for name in notes)
        assert all(one.entry.prompt == json.dumps(json.loads(one.entry.prompt)) for one in kept.values())
        last = {line[1]: line[2] for line in said if line[0] == "put"}
        for writer, name in last.items():
            later = f"req-{life}-{writer}-{int(name.split('-')[-1]) + 1}"  # written, and killed before it was said
            assert titles & {name, later}, f"the conversation of writer {writer} is older than {name}"
        assert requests >= len(kept) and tokens == 2 * requests  # what is spent is there with its request
    return seen | {"entries": len(entries), "notes": len(notes)}


if __name__ == "__main__":
    print(json.dumps(crash(Path(sys.argv[1]), int(sys.argv[2]), int((sys.argv[3:] or ["0"])[0]))))
