"""Serving engines side by side: our own in each precision and OpenVINO's, same weights, prompts and threads.

python -m benchmarks.engines [--rounds 3] [--tokens 64] [--threads 1] [--dry]

A Llama of 15 million random weights answers 1, 8 and 32 requests at once, as a server asks it to.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks._speed import shape
from benchmarks.side_by_side import ROOT, machine, measure, ratios, replace_section, spread, table

HEADING = "Serving engines"
OURS = ("fp32", "bf16", "int8", "int8_dynamic")
THEIRS = "openvino int8"
STREAMS = (1, 8, 32)
READ = 16
"tokens of each prompt"


def write_model(folder: Path) -> None:
    """Random weights, and a tokenizer with a token for each byte and names for the rest."""
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    from dragoman.nn.families.llama import Llama
    from dragoman.nn.names import to_published
    from dragoman.nn.store import fresh_lm

    family, arch = Llama(), shape()
    folder.mkdir(parents=True, exist_ok=True)
    weights = to_published(fresh_lm(arch), arch, family.language)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    said = {"architectures": ["LlamaForCausalLM"], "dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(family.write(arch) | said))
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = [*letters, *(f"w{number}" for number in range(len(letters), arch.vocabulary))]
    words = Tokenizer(models.BPE({name: number for number, name in enumerate(names)}, []))
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    words.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')


def work(label: str, folder: Path, tokens: int, threads: int) -> None:
    """One engine's turn: open, warm up, then answer so many at once with the clock running."""
    import torch

    from dragoman.models.engines import open_engine

    torch.set_num_threads(threads)
    begun = time.perf_counter()
    if label == THEIRS:
        engine, _ = open_engine(folder, kind="openvino", rows=max(STREAMS))
    else:
        engine, _ = open_engine(folder, device="cpu", precision=label, rows=max(STREAMS))  # type: ignore[arg-type]
    figures: dict[str, Any] = {"loading": time.perf_counter() - begun}
    for streams in STREAMS:
        _turn(engine, streams, 8)
        figures[f"streams {streams}"] = max(_turn(engine, streams, tokens) for _ in range(3))
    engine.close()
    print(json.dumps(figures))


def _turn(engine: Any, streams: int, tokens: int) -> float:
    """Tokens a CPU-second of so many answers at once, reading their prompts included. No two prompts are alike."""
    from dragoman.core.engine import Asked
    from dragoman.core.sampling import Sampling
    from dragoman.core.types import Message

    how = Sampling(max_tokens=tokens)
    texts = [f"{number:04d}{time.perf_counter_ns()}".ljust(READ, ".")[:READ] for number in range(streams)]
    begun = time.process_time()  # of all threads: what else the machine does is not counted
    for number, text in enumerate(texts):
        engine.add(Asked(number, (Message("user", text),), how))
    written = 0
    while engine.busy():
        written += sum(piece.count for piece in engine.step())
    if written != streams * tokens:
        raise RuntimeError(f"{written} tokens were written, and {streams * tokens} were asked for")
    return written / (time.process_time() - begun)


def main() -> None:
    """Measure, print, and write the section into docs/performance.md."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--tokens", type=int, default=64)
    words.add_argument("--threads", type=int, default=1)
    words.add_argument("--dry", action="store_true", help="print only; leave docs/performance.md as it is")
    words.add_argument("--work", help=argparse.SUPPRESS)
    words.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.work:
        work(given.work, given.folder, given.tokens, given.threads)
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "llama"
        write_model(folder)
        os.environ["XDG_CACHE_HOME"] = place  # the graph of OpenVINO is no one's to keep
        front = [sys.executable, "-W", "ignore", "-m", "benchmarks.engines", "--folder", str(folder)]
        rest = ["--tokens", str(given.tokens), "--threads", str(given.threads)]
        commands = {label: [*front, "--work", label, *rest] for label in (*OURS, THEIRS)}
        measured = measure("engines", commands, given.rounds)
    figures = {
        f"streams {streams}": f"tokens a CPU-second, {streams} at once (min / median / max)" for streams in STREAMS
    }
    told = ["| | " + " | ".join(f"{streams} at once" for streams in STREAMS) + " |", "|---" * (len(STREAMS) + 1) + "|"]
    for label in OURS:
        cells = [spread(ratios(measured, THEIRS, label, f"streams {streams}"), 2) for streams in STREAMS]
        told.append(f"| {THEIRS} / {label} | {' | '.join(cells)} |")
    parts = [
        f"A Llama of 15 million random weights, {READ} tokens read and {given.tokens} written greedily for each "
        f"request, {given.rounds} rounds in turns, each in a fresh process; loading and a warm-up are not counted.",
        table(measured, figures),
        "\n".join(told),
        machine(("torch", "openvino-genai"), given.threads),
        "Again: `python -m benchmarks.engines`",
    ]
    body = "\n\n".join(parts)
    print(body)
    if not given.dry:
        replace_section(ROOT / "docs" / "performance.md", HEADING, body)


if __name__ == "__main__":
    main()
