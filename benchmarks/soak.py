"""What a server promises under load, held against a real one: no mixed streams, quick refusals, no leaks, nothing lost.

python -m benchmarks.soak MODEL [--minutes 10] [--streams 64] [--burst 500] [--leavers 1000] [--kills 3]

S01: streams side by side, each text equal to the one obtained alone. S02: many at once against a queue of 32. S03:
clients that leave in the middle. And SIGKILL under load: every acknowledged answer and feedback is in the journal.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._server import free_port, running

__all__ = ["Server", "burst", "killed", "leavers", "main", "served", "side_by_side"]

WORDS = [
    "once",
    "upon",
    "a",
    "time",
    "there",
    "was",
    "little",
    "girl",
    "named",
    "Lily",
    "who",
    "loved",
    "to",
    "play",
    "in",
    "the",
    "park",
    "with",
    "her",
    "dog",
]
START = 60  # seconds a server may take to come up


@dataclass
class Server:
    """A server in a process of its own."""

    url: str
    port: int
    process: "subprocess.Popen[bytes]"
    seconds: float
    "from its start to its first readiness"

    @property
    def files(self) -> int:
        """Files and sockets it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    @property
    def memory(self) -> int:
        """Bytes of memory it holds."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    @property
    def live(self) -> float:
        """Requests that are accepted and not yet answered."""
        import httpx

        page = httpx.get(f"{self.url}/metrics", trust_env=False, timeout=30).text
        names = ("waiting_requests", "running_requests")
        return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.split(" ")[0].endswith(names))


@contextmanager
def served(model: str, folder: Path, *words: str) -> Iterator[Server]:
    """A fresh server of a model, once it is ready."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "dragoman", "serve", model, f"port={port}", "device=cpu", *words]
    began = time.monotonic()
    with running(command, f"{url}/readyz", folder, START) as process:
        yield Server(url, port, process, time.monotonic() - began)


def bodies(count: int, tokens: int, stream: bool = True) -> list[dict[str, Any]]:
    """So many different requests, half of them drawn and half of them greedy."""
    dice = random.Random(7)
    return [
        {
            "prompt": " ".join(dice.choices(WORDS, k=dice.randint(2, 40))),
            "max_tokens": dice.randint(tokens // 2, tokens),
            "temperature": dice.choice([0, 0.9]),
            "seed": number,
            "stream": stream,
        }
        for number in range(count)
    ]


async def _streamed(http: Any, url: str, body: Mapping[str, Any], gaps: list[float]) -> str:
    """The text of one stream. Raises where it is cut, or ends in an error."""
    said, last, ended = [], 0.0, False
    async with http.stream("POST", f"{url}/v1/completions", json=body) as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            if line == "data: [DONE]":
                ended = True
            elif line.startswith("data: "):
                event = json.loads(line[6:])
                said += [one["text"] for one in event["choices"]]
                now = time.perf_counter()
                if last and event["choices"]:
                    gaps.append(now - last)
                last = now
    assert ended, "a stream was cut"
    return "".join(said)


def side_by_side(server: Server, streams: int, seconds: float, different: int = 48, tokens: int = 48) -> dict[str, Any]:
    """S01: streams for so long, each held against the text of the same request alone."""

    async def run() -> dict[str, Any]:
        import httpx

        asked = bodies(different, tokens)
        gaps: list[float] = []
        limits = httpx.Limits(max_connections=streams + 8)
        async with httpx.AsyncClient(trust_env=False, timeout=120, limits=limits) as http:
            alone = [await _streamed(http, server.url, body, []) for body in asked]
            until, done, mixed = time.monotonic() + seconds, 0, 0

            async def client(number: int) -> None:
                nonlocal done, mixed
                dice = random.Random(number)
                while time.monotonic() < until:
                    place = dice.randrange(different)
                    text = await _streamed(http, server.url, asked[place], gaps)
                    done, mixed = done + 1, mixed + (text != alone[place])

            await asyncio.gather(*(client(number) for number in range(streams)))
        ordered = sorted(gaps)
        middle, late = ordered[len(ordered) // 2], ordered[int(0.99 * len(ordered))]
        return {"streams": streams, "answers": done, "mixed": mixed, "gap p50": middle, "gap p99 / p50": late / middle}

    return asyncio.run(run())


def burst(server: Server, count: int) -> dict[str, Any]:
    """S02: so many requests at once; how quick the refusals are, and whether every other one is answered."""

    async def run() -> dict[str, Any]:
        import httpx

        before = server.memory
        body = json.dumps(bodies(1, 48, stream=False)[0]).encode()
        head = (
            f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        began = [0.0] * count

        async def one(number: int, ready: asyncio.Event) -> tuple[int, float]:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            await ready.wait()
            began[number] = time.perf_counter()
            writer.write(head + body)
            first = await reader.readline()
            took = time.perf_counter() - began[number]
            await reader.read()
            writer.close()
            return int(first.split()[1]), took

        ready = asyncio.Event()
        tasks = [asyncio.create_task(one(number, ready)) for number in range(count)]
        await asyncio.sleep(1.0)
        ready.set()
        found = await asyncio.gather(*tasks)
        refused = sorted(took for status, took in found if status == 429)
        async with httpx.AsyncClient(trust_env=False) as http:
            after = (await http.get(f"{server.url}/readyz")).status_code
        return {
            "at once": count,
            "answered": sum(status == 200 for status, _ in found),
            "refused": len(refused),
            "other": sum(status not in (200, 429) for status, _ in found),
            "refused p99 ms": 1000 * refused[int(0.99 * len(refused))] if refused else 0.0,
            "MB more": (server.memory - before) / 1e6,
            "ready after": after == 200,
        }

    return asyncio.run(run())


def leavers(server: Server, count: int) -> dict[str, Any]:
    """S03: so many clients that leave in the middle; what is left of them."""

    async def run() -> dict[str, Any]:
        files, memory = server.files, server.memory
        body = json.dumps(bodies(1, 200)[0] | {"max_tokens": 200}).encode()
        head = (
            f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        dice = random.Random(3)

        async def one(wait: float) -> None:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(head + body)
            await writer.drain()
            await asyncio.sleep(wait)
            writer.transport.abort()

        for start in range(0, count, 25):
            await asyncio.gather(*(one(dice.random() * 0.2) for _ in range(min(25, count - start))))
        until = time.monotonic() + 30
        while server.live and time.monotonic() < until:
            await asyncio.sleep(0.1)
        left = server.live
        await asyncio.sleep(1.5)
        return {
            "left": count,
            "requests left": left,
            "files more": server.files - files,
            "MB more": (server.memory - memory) / 1e6,
        }

    return asyncio.run(run())


def killed(model: str, folder: Path, seconds: float) -> dict[str, Any]:
    """SIGKILL under load: what was acknowledged and is not in the journal, and how long the next start takes."""
    import httpx

    journal = folder / "kill.sqlite"
    answered: set[str] = set()
    judged: set[str] = set()

    async def load(server: Server) -> None:
        async def client(http: httpx.AsyncClient, number: int) -> None:
            asked = bodies(8, 12, stream=False)
            while True:
                given = await http.post(f"{server.url}/v1/completions", json=asked[number % 8])
                if given.status_code == 200:
                    answered.add(given.headers["x-request-id"])
                    said = {"id": given.headers["x-request-id"], "thumb": "down", "correction": "so"}
                    kept = await http.post(f"{server.url}/v1/feedback", json=said)
                    if kept.status_code == 200:
                        judged.add(said["id"])

        async def stop() -> None:
            await asyncio.sleep(seconds)
            os.kill(server.process.pid, signal.SIGKILL)

        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            tasks = [asyncio.create_task(client(http, number)) for number in range(12)]
            await stop()
            await asyncio.gather(*tasks, return_exceptions=True)

    with served(model, folder, f"journal={journal}", "page=false") as server:
        asyncio.run(load(server))
        server.process.wait(10)
    with served(model, folder, f"journal={journal}", "page=false") as server:
        again = server.seconds
    from dragoman.serve.journal_read import walk

    kept = {one.entry.id: one for one in walk(journal)}
    return {
        "answers": len(answered),
        "answers lost": len(answered - set(kept)),
        "feedback": len(judged),
        "feedback lost": sum(kept.get(name) is None or kept[name].thumb != -1 for name in judged),
        "seconds to serve again": again,
    }


def main() -> None:
    """Every promise in turn, one JSON line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--burst", type=int, default=500)
    parser.add_argument("--leavers", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=3)
    said = parser.parse_args()
    model = str(Path(said.model).absolute()) if Path(said.model).exists() else said.model
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        with served(model, folder, "queue=64", "keep.on=false") as server:
            print(json.dumps(side_by_side(server, said.streams, 60 * said.minutes)), flush=True)
        with served(model, folder, "queue=32", "keep.on=false") as server:
            print(json.dumps(burst(server, said.burst)), flush=True)
            print(json.dumps(leavers(server, said.leavers)), flush=True)
        for turn in range(said.kills):
            print(json.dumps(killed(model, folder, 2.0 + turn)), flush=True)


if __name__ == "__main__":
    main()
