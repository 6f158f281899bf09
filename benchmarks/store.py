"""How fast a store of documents is filled, opened and asked: p50 and p99 of a query end to end, the vectors given.

python -m benchmarks.store [--sizes 10000 100000] [--width 384] [--queries 200] [--exact-up-to 200000]
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dragoman.core.documents import Batch, Chunk, Equals, Query
from dragoman.rag.dense import EXACT_UP_TO
from dragoman.rag.search import Retriever
from dragoman.rag.store import SqliteStore

A_SOURCE = 100  # pieces
WORDS = 120  # a piece
VOCABULARY = 50_000


class Given:
    """An embedder that gives one vector, as if it took no time."""

    def __init__(self, vector: NDArray[np.float32]) -> None:
        self.vector = vector

    def embed(self, texts: object) -> NDArray[np.float32]:
        """The vector."""
        return self.vector[None]


def units(rng: np.random.Generator, rows: int, width: int) -> NDArray[np.float32]:
    """Vectors of length 1 around a hundred middles, of shape [rows, width]."""
    middles = np.random.default_rng(0).normal(size=(100, width))
    drawn = middles[rng.integers(100, size=rows)] + rng.normal(size=(rows, width))
    found: NDArray[np.float32] = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return found


def spoken(rng: np.random.Generator, words: int) -> str:
    """A text of words as common as those of a language (Zipf)."""
    ranks = np.exp(rng.uniform(0, np.log(VOCABULARY), size=words)).astype(int)
    return " ".join(f"w{rank:x}" for rank in ranks)


def fill(store: SqliteStore, size: int, width: int) -> float:
    """Put so many pieces into a store; the seconds it took."""
    rng, took = np.random.default_rng(1), 0.0
    for number in range(size // A_SOURCE):
        name, meta = f"source {number:05d}", {"year": number % 20}
        texts = [spoken(rng, WORDS) for _ in range(A_SOURCE)]
        pieces = tuple(Chunk(name, at, 0, len(text), text, (name,), meta=meta) for at, text in enumerate(texts))
        batch = Batch(name, "1", name, pieces, units(rng, A_SOURCE, width))
        start = time.perf_counter()
        store.apply(batch)
        took += time.perf_counter() - start
    return took


def timed(store: SqliteStore, queries: int, width: int) -> dict[str, dict[str, float]]:
    """Milliseconds of each kind of query, by quantile."""
    rng = np.random.default_rng(2)
    texts, vectors = [spoken(rng, 8) for _ in range(queries)], units(rng, queries, width)
    year = Equals("year", 3)
    kinds: dict[str, Callable[[str, NDArray[np.float32]], object]] = {
        "vector": lambda text, vector: store.search(Query(vector=vector)),
        "words": lambda text, vector: store.search(Query(text)),
        "hybrid, 10 of 50 each": lambda text, vector: Retriever(store, Given(vector))(text),
        "hybrid, a 20th allowed": lambda text, vector: store.search(Query(text, vector, filter=year)),
    }
    figures = {}
    for name, ask in kinds.items():
        ask(texts[0], vectors[0])
        took = []
        for text, vector in zip(texts, vectors, strict=True):
            start = time.perf_counter()
            ask(text, vector)
            took.append((time.perf_counter() - start) * 1000)
        figures[name] = {
            "p50": round(float(np.quantile(took, 0.5)), 2),
            "p99": round(float(np.quantile(took, 0.99)), 2),
        }
    return figures


def measure(size: int, arguments: argparse.Namespace) -> dict[str, object]:
    """The figures of one size."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "index.db"
        store = SqliteStore(place, "given", "en", arguments.exact_up_to)
        filled = fill(store, size, arguments.width)
        store.close()
        store = SqliteStore(place, "given", "en", arguments.exact_up_to)
        vector = units(np.random.default_rng(3), 1, arguments.width)[0]
        start = time.perf_counter()
        store.search(Query("w1", vector))
        opened = time.perf_counter() - start
        figures = timed(store, arguments.queries, arguments.width)
        start = time.perf_counter()
        store.apply(Batch("source 00000", ""))
        store.search(Query("w1", vector))
        changed = time.perf_counter() - start
        start = time.perf_counter()
        problems = store.verify().problems
        checked = time.perf_counter() - start
        store.close()
        return {
            "pieces": size,
            "pieces put a second": round(size / filled),
            "megabytes": round(place.stat().st_size / 1e6, 1),
            "first query, seconds": round(opened, 2),
            "a source removed and a query, milliseconds": round(changed * 1000, 1),
            "verified, seconds": round(checked, 2),
            "problems": len(problems),
            "milliseconds a query": figures,
        }


def main() -> None:
    """Print the figures of each size as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--exact-up-to", type=int, default=EXACT_UP_TO)
    arguments = parser.parse_args()
    for size in arguments.sizes:
        print(json.dumps(measure(size, arguments), indent=2), flush=True)


if __name__ == "__main__":
    main()
