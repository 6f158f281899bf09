"""Serving: Dragoman's server against `transformers serve`, same random Llama weights, same requests, same cores.

python -m benchmarks.serving [--rounds 3] [--tokens 48] [--streams 1,8,32] [--dry]

Streamed chat answers: tokens a second over all streams, the time to the first token, and between tokens. The server of
llama.cpp takes part where `llama-server` is on the path. Each turn is a fresh server; theirs has every thread it wants.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks._server import free_port, running
from benchmarks.generation import write_model
from benchmarks.side_by_side import ROOT, machine, replace_section

HEADING = "Serving"
OURS, THEIRS, BATCHED, PEER = "dragoman", "transformers serve", "transformers serve, continuous", "llama.cpp server"
SYSTEM = "You are a careful assistant. You answer shortly, in plain words, and say so where you do not know."
QUESTION = (
    "Question {number}: which of the chapters of the manual tells how a {number} is written, and why is it there?"
)
NOTE = (
    "Streamed chat answers of 48 tokens to prompts of some 60, half of which all share; a server with its defaults, in "
    "fp32, every turn a fresh process. `python -m benchmarks.serving`"
)
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
WORDS, MODEL_WORDS = 4096, 32_000
START = 180  # seconds a server may take to come up


def write_tokens(folder: Path) -> None:
    """A byte-level tokenizer that knows no end, so that every answer has the tokens that were asked for."""
    import pydoc_data.topics

    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from tokenizers.trainers import BpeTrainer

    rust = Tokenizer(BPE())
    rust.pre_tokenizer, rust.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(vocab_size=WORDS, special_tokens=["<pad>"], initial_alphabet=letters, show_progress=False)
    rust.train_from_iterator(pydoc_data.topics.topics.values(), trainer)
    # The weights know more words than the texts taught: each has a text, or an answer of them would show nothing.
    rust.add_tokens([f"~{number}" for number in range(rust.get_vocab_size(), MODEL_WORDS)])
    rust.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "chat_template": TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "generation_config.json").write_text(json.dumps({"pad_token_id": 0, "eos_token_id": None}))


@contextmanager
def served(label: str, folder: Path) -> Iterator[str]:
    """A fresh server of the model, and its address, once it answers."""
    port = free_port()
    command, path = _command(label, folder, port)
    url = f"http://127.0.0.1:{port}"
    with running(command, f"{url}{path}", folder, START):
        yield url


def _command(label: str, folder: Path, port: int) -> tuple[list[str], str]:
    """How a server is started, and the path that says it is there."""
    if label == OURS:
        words = [sys.executable, "-m", "dragoman", "serve", str(folder), f"port={port}", "precision=fp32", "queue=256"]
        return [*words, f"journal={folder / 'journal.sqlite'}"], "/readyz"
    if label == PEER:
        return ["llama-server", "-m", str(folder / "model.gguf"), "--port", str(port), "-np", "32"], "/health"
    words = [
        sys.executable,
        "-m",
        "transformers.cli.transformers",
        "serve",
        str(folder),
        "--port",
        str(port),
        "--device",
        "cpu",
    ]
    words += ["--dtype", "float32", "--continuous-batching"] if label == BATCHED else ["--dtype", "float32"]
    return words, "/health"


async def load(url: str, model: str, streams: int, requests: int, tokens: int) -> dict[str, float]:
    """So many requests by so many clients at once; what they saw."""
    import httpx

    numbers = iter(range(requests))
    firsts: list[float] = []
    gaps: list[float] = []
    written = 0

    async def client(http: httpx.AsyncClient) -> None:
        nonlocal written
        for number in numbers:
            messages = [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": QUESTION.format(number=number)},
            ]
            body = {"model": model, "messages": messages, "max_tokens": tokens, "temperature": 0, "stream": True}
            began = last = time.perf_counter()
            seen = 0
            async with http.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=600) as answer:
                answer.raise_for_status()
                async for line in answer.aiter_lines():
                    if not line.startswith("data: {"):
                        continue
                    event = json.loads(line[6:])
                    if not event.get("choices") or not event["choices"][0]["delta"].get("content"):
                        continue
                    now = time.perf_counter()
                    (gaps if seen else firsts).append(now - last)
                    last, seen = now, seen + 1
            assert seen, f"nothing came in {time.perf_counter() - began:.1f} s"
            written += tokens

    began = time.perf_counter()
    async with httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=256)) as http:
        await asyncio.gather(*(client(http) for _ in range(streams)))
    seconds = time.perf_counter() - began
    return {
        "tokens a second": written / seconds,
        "first p50": statistics.median(firsts),
        "first p99": _quantile(firsts, 0.99),
        "between p50": statistics.median(gaps),
        "between p99": _quantile(gaps, 0.99),
    }


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def measured(label: str, folder: Path, streams: list[int], tokens: int) -> dict[int, dict[str, float]]:
    """One server's turn at every load, behind a warm-up."""
    with served(label, folder) as url:
        model = folder.name if label == OURS else str(folder)
        asyncio.run(load(url, model, 2, 4, 8))
        return {count: asyncio.run(load(url, model, count, max(2 * count, 6), tokens)) for count in streams}


def lines(found: Mapping[str, list[dict[int, dict[str, float]]]], streams: list[int]) -> str:
    """The table: the median of each figure, and how many times theirs in each pair of turns."""
    head = ["server", "streams", "tokens/s", "times theirs, pair by pair", "first token p50 / p99", "between p50 / p99"]
    rows = []
    for count in streams:
        for label, turns in found.items():
            of = [turn[count] for turn in turns]
            middle = {name: statistics.median(one[name] for one in of) for name in of[0]}
            pairs = zip(of, found[THEIRS], strict=True)
            ratio = [one["tokens a second"] / other[count]["tokens a second"] for one, other in pairs]
            first = f"{middle['first p50'] * 1000:,.0f} / {middle['first p99'] * 1000:,.0f} ms"
            between = f"{middle['between p50'] * 1000:,.1f} / {middle['between p99'] * 1000:,.1f} ms"
            told = ", ".join(f"{one:.2f}" for one in ratio)
            rows.append([label, str(count), f"{middle['tokens a second']:,.0f}", told, first, between])
    cells = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def main() -> None:
    """Write the model, let the servers take turns, print and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--streams", default="1,8,32")
    parser.add_argument("--size", default="15M")
    parser.add_argument("--batched", action="store_true", help="their continuous batching too")
    parser.add_argument("--dry", action="store_true", help="print, and leave docs/performance.md as it is")
    said = parser.parse_args()
    streams = [int(one) for one in said.streams.split(",")]
    labels = [OURS, THEIRS, *([BATCHED] if said.batched else [])]
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "model"
        write_model(folder, said.size)
        write_tokens(folder)
        if shutil.which("llama-server") and (folder / "model.gguf").exists():
            labels.append(PEER)
        found: dict[str, list[dict[int, dict[str, float]]]] = {label: [] for label in labels}
        for turn in range(said.rounds):
            for label in labels:
                found[label].append(measured(label, folder, streams, said.tokens))
                print(f"turn {turn + 1}, {label}: {json.dumps(found[label][-1])}", file=sys.stderr)
    text = lines(found, streams)
    print(text)
    if not said.dry:
        told = machine(("torch", "transformers", "fastapi", "uvicorn"), os.cpu_count() or 1)
        replace_section(ROOT / "docs" / "performance.md", HEADING, f"{told}\n\n{NOTE}\n\n{text}")


if __name__ == "__main__":
    main()
