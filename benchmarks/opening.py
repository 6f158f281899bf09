"""Opening a model and its first words: Dragoman against transformers, same weights and threads.

python -m benchmarks.opening [--rounds 5] [--threads 2] [--dry]

Loading a checkpoint of 500 MB, streaming from 110 M parameters, and a small model from a cold start to its first word.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.generation import PROMPT, SIZES, write_model
from benchmarks.side_by_side import ROOT, machine, measure, ratios, replace_section, spread, table

HEADING = "Opening a model and its first words"
STORIES = ROOT.parent / "shared" / "data" / "models" / "stories260K"
OURS, THEIRS = "dragoman", "transformers"
LARGE = "131M"
"a Llama shape whose fp32 weights take 500 MB"


def loading(label: str, folder: Path) -> None:
    """Milliseconds from the name of a folder to a model in memory; imports are done, the file is in the page cache."""
    import torch

    for file in folder.iterdir():
        file.read_bytes()
    if label == OURS:
        from dragoman.nn.store import load_lm

        load_lm(STORIES if STORIES.is_dir() else folder)  # what is imported at the first call is imported now
        begun = time.perf_counter()
        net: Any = load_lm(folder)
    else:
        from transformers import AutoModelForCausalLM

        AutoModelForCausalLM.from_pretrained(STORIES if STORIES.is_dir() else folder)
        begun = time.perf_counter()
        net = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    opened = 1000 * (time.perf_counter() - begun)
    # A file that is only mapped is read by the first use: the sum of all numbers asks for every one.
    total = sum(float(parameter.detach().sum()) for parameter in net.parameters())
    print(json.dumps({"opened": opened, "all read": 1000 * (time.perf_counter() - begun), "sum": total}))


def streaming(label: str, folder: Path) -> None:
    """Seconds to the first token, and milliseconds from token to token (median and 95th percentile)."""
    turn = _our_stream if label == OURS else _their_stream
    stream = turn(folder)
    list(stream(8))  # warm-up
    firsts, gaps = [], []
    for _ in range(3):
        begun = time.perf_counter()
        times = [time.perf_counter() for _ in stream(64)]
        firsts.append(times[0] - begun)
        gaps += [later - sooner for sooner, later in pairwise(times)]
    gaps.sort()
    figures = {"first": 1000 * min(firsts), "token": 1000 * statistics.median(gaps)}
    print(json.dumps(figures | {"p95": 1000 * gaps[int(0.95 * len(gaps))]}))


def _our_stream(folder: Path) -> Any:
    from dragoman.core.sampling import Sampling
    from dragoman.nn.decode import Decoding
    from dragoman.nn.packed import pack
    from dragoman.nn.store import load_lm

    net: Any = load_lm(folder)
    pack(net, "fp32")

    def stream(tokens: int) -> Iterator[int]:
        decoding = Decoding(net, [PROMPT], Sampling(max_tokens=tokens), eos_ids=frozenset(), pad_id=0)
        while written := decoding.step():
            yield written[0].id

    return stream


def _their_stream(folder: Path) -> Any:
    import queue
    import threading

    import torch
    from transformers import AutoModelForCausalLM

    net = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    net.generation_config.eos_token_id = None

    class Streamer:
        """The least that `generate(streamer=...)` asks for: tokens go into a queue as they come."""

        def __init__(self) -> None:
            self.queue: queue.Queue[int | None] = queue.Queue()
            self.begun = False

        def put(self, value: Any) -> None:
            if self.begun:
                self.queue.put(int(value.flatten()[-1]))
            self.begun = True  # the prompt comes first

        def end(self) -> None:
            self.queue.put(None)

    def stream(tokens: int) -> Iterator[int]:
        streamer, ids = Streamer(), torch.tensor([PROMPT])
        words = {"max_new_tokens": tokens, "do_sample": False, "pad_token_id": 0, "streamer": streamer}
        thread = threading.Thread(target=net.generate, args=(ids,), kwargs=words | {"attention_mask": ids > -1})
        thread.start()
        while (token := streamer.queue.get()) is not None:
            yield token
        thread.join()

    return stream


THEIR_SCRIPT = """
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer, TextStreamer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
ids = tokenizer(sys.argv[2], return_tensors="pt", return_token_type_ids=False)
model.generate(**ids, max_new_tokens=8, do_sample=False, streamer=TextStreamer(tokenizer, skip_prompt=True))
"""


def cold(label: str, threads: int) -> None:
    """Seconds from the start of a process to the first character of an answer on standard output."""
    words = [str(STORIES), "Once upon a time"]
    ours = [sys.executable, "-u", "-m", "dragoman.cli", "generate", *words, "max_tokens=8"]
    command = ours if label == OURS else [sys.executable, "-u", "-W", "ignore", "-c", THEIR_SCRIPT, *words]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    begun = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, cwd=ROOT
    ) as running:
        assert running.stdout is not None
        said = running.stdout.read(1)
        first = time.perf_counter() - begun
        said += running.stdout.read()
        if running.wait() or not said.strip():
            raise RuntimeError(f"{label} said nothing")
    print(json.dumps({"first word": first}))


def _side(kind: str, folder: Path | None, rounds: int, threads: int) -> dict[str, Any]:
    front = [sys.executable, "-W", "ignore", "-m", "benchmarks.opening", "--kind", kind, "--threads", str(threads)]
    rest = ["--folder", str(folder)] if folder else []
    return measure(kind, {label: [*front, *rest, "--work", label] for label in (OURS, THEIRS)}, rounds)


def _told(rounds: int, threads: int) -> str:
    with tempfile.TemporaryDirectory() as place:
        large, middle = Path(place) / "large", Path(place) / "middle"
        SIZES[LARGE] = (768, 15, 12, 2048)
        write_model(large, LARGE)
        write_model(middle, "110M")
        size = sum(file.stat().st_size for file in large.iterdir()) / 1e6
        loads = _side("loading", large, rounds, threads)
        streams = _side("streaming", middle, rounds, threads)
    parts = [
        f"Each in a fresh process, in turns, {rounds} rounds; min / median / max, and ratios pair by pair.",
        f"### Loading {size:.0f} MB of fp32 weights (milliseconds, file in the page cache, imports not counted)",
        table(loads, {"opened": "until the model is there", "all read": "until every weight was read once"}),
        _faster(loads, ("all read",)),
        "transformers maps the file and reads it when it is used. Ours is a copy whose numbers were all looked at: the "
        "file may be replaced while the model is in use, and NaN is told by the name of its tensor.",
        "### Streaming from 110 M parameters, fp32, batch 1 (milliseconds)",
        table(streams, {"first": "first token", "token": "from token to token", "p95": "95th percentile"}),
        _faster(streams, ("first", "token")),
    ]
    if STORIES.is_dir():
        colds = _side("cold", None, rounds, threads)
        parts += [
            "### A model of 260,000 parameters from a cold start to its first word (seconds, `dragoman generate`)",
            table(colds, {"first word": "first word"}),
            _faster(colds, ("first word",)),
        ]
    return "\n\n".join(parts)


def _faster(measured: dict[str, Any], figures: Sequence[str]) -> str:
    told = [f"{figure}: {spread(ratios(measured, THEIRS, OURS, figure), 2)}" for figure in figures]
    return f"transformers' time over ours, {'; '.join(told)}."


def main() -> None:
    """Measure, print, and write the section into docs/performance.md."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    words.add_argument("--dry", action="store_true", help="print only; leave docs/performance.md as it is")
    words.add_argument("--work", choices=(OURS, THEIRS), help=argparse.SUPPRESS)
    words.add_argument("--kind", help=argparse.SUPPRESS)
    words.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.work and given.kind == "cold":
        cold(given.work, given.threads)
        return
    if given.work:
        import torch

        torch.set_num_threads(given.threads)
        {"loading": loading, "streaming": streaming}[given.kind](given.work, given.folder)
        return
    body = "\n\n".join(
        [
            _told(given.rounds, given.threads),
            machine(("torch", "transformers", "safetensors"), given.threads),
            "Again: `python -m benchmarks.opening`",
        ]
    )
    print(body)
    if not given.dry:
        replace_section(ROOT / "docs" / "performance.md", HEADING, body)


if __name__ == "__main__":
    main()
