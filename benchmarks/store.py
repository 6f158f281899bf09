"""How fast a store of documents is filled, opened and asked: p50 and p99 of a query end to end, the vectors given.

python -m benchmarks.store [--sizes 10000 100000] [--width 384] [--queries 200] [--exact-up-to 200000]
python -m benchmarks.store --beside qdrant lancedb --sizes 10000: the same vectors in a folder of Qdrant's client and in
LanceDB, asked directly and through the Store door, and what each takes in times of ours
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dragoman.core.documents import Batch, Chunk, Equals, Query
from dragoman.rag.dense import EXACT_UP_TO
from dragoman.rag.search import Retriever
from dragoman.rag.store import SqliteStore
from dragoman.rag.stores.open import DocumentStore, open_store

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


def batches(size: int, width: int) -> Iterator[Batch]:
    """So many pieces, a source at a time."""
    rng = np.random.default_rng(1)
    for number in range(size // A_SOURCE):
        name, meta = f"source {number:05d}", {"year": number % 20}
        texts = [spoken(rng, WORDS) for _ in range(A_SOURCE)]
        pieces = tuple(Chunk(name, at, 0, len(text), text, (name,), meta=meta) for at, text in enumerate(texts))
        yield Batch(name, "1", name, pieces, units(rng, A_SOURCE, width))


def fill(store: DocumentStore, size: int, width: int) -> float:
    """Put so many pieces into a store; the seconds it took."""
    took = 0.0
    for batch in batches(size, width):
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


class Qdrant:
    """A folder of Qdrant's client, as its user writes it."""

    def __init__(self, folder: str, width: int) -> None:
        from qdrant_client import QdrantClient, models

        self.models, self.client = models, QdrantClient(path=folder)
        self.client.create_collection("c", models.VectorParams(size=width, distance=models.Distance.COSINE))
        self.count = 0

    def apply(self, batch: Batch) -> None:
        """Put a source."""
        assert batch.vectors is not None
        ids = range(self.count, self.count + len(batch.chunks))
        told = [{"source": one.source, "number": one.number, "text": one.text, **one.meta} for one in batch.chunks]
        self.client.upsert("c", self.models.Batch(ids=list(ids), vectors=batch.vectors.tolist(), payloads=told))
        self.count += len(batch.chunks)

    def best(self, vector: NDArray[np.float32]) -> list[tuple[str, int]]:
        """Source and number of the nearest ten."""
        found = self.client.query_points("c", query=vector.tolist(), limit=10).points
        return [(point.payload["source"], point.payload["number"]) for point in found if point.payload]


class Lance:
    """A table of LanceDB, as its user writes it."""

    def __init__(self, folder: str, width: int) -> None:
        import lancedb

        self.base = lancedb.connect(folder)
        self.table: Any = None

    def apply(self, batch: Batch) -> None:
        """Put a source."""
        assert batch.vectors is not None
        rows: list[dict[str, Any]] = [
            {"source": one.source, "number": one.number, "text": one.text, "vector": vector, **one.meta}
            for one, vector in zip(batch.chunks, batch.vectors, strict=True)
        ]
        if self.table is None:
            self.table = self.base.create_table("c", rows)
        else:
            self.table.add(rows)

    def best(self, vector: NDArray[np.float32]) -> list[tuple[str, int]]:
        """Source and number of the nearest ten."""
        found = self.table.search(vector).distance_type("cosine").limit(10).select(["source", "number", "_distance"])
        return [(row["source"], row["number"]) for row in found.to_list()]


class Door:
    """A store behind the door of all."""

    def __init__(self, name: str) -> None:
        self.store = open_store(name, "given")
        self.apply = self.store.apply

    def best(self, vector: NDArray[np.float32]) -> list[tuple[str, int]]:
        """Source and number of the nearest ten."""
        return [(hit.chunk.source, hit.chunk.number) for hit in self.store.search(Query(vector=vector))]


def beside(size: int, arguments: argparse.Namespace) -> dict[str, object]:
    """What the same vectors take in other stores, and how many times that is of ours, in one run."""
    with tempfile.TemporaryDirectory() as folder:
        opened: dict[str, Callable[[], Any]] = {"ours": partial(Door, f"{folder}/index.db")}
        for name in arguments.beside:
            kind: Any = {"qdrant": Qdrant, "lancedb": Lance}[name]
            opened[name] = partial(kind, f"{folder}/{name}", arguments.width)
            opened[f"{name} behind the door"] = partial(Door, f"{name}:{folder}/{name}_door")
        vectors = units(np.random.default_rng(2), arguments.queries, arguments.width)
        figures: dict[str, dict[str, float]] = {}
        found: dict[str, list[list[tuple[str, int]]]] = {}
        for name, make in opened.items():
            store, took = make(), 0.0
            for batch in batches(size, arguments.width):
                start = time.perf_counter()
                store.apply(batch)
                took += time.perf_counter() - start
            store.best(vectors[0])
            spent, found[name] = [], []
            for vector in vectors:
                start = time.perf_counter()
                found[name].append(store.best(vector))
                spent.append((time.perf_counter() - start) * 1000)
            same = sum(len({*one} & {*other}) for one, other in zip(found["ours"], found[name], strict=True))
            figures[name] = {
                "pieces put a second": round(size / took),
                "milliseconds a query, p50": round(float(np.quantile(spent, 0.5)), 2),
                "of ten found as ours, mean": round(same / len(vectors), 2),
            }
        speed, query = "pieces put a second", "milliseconds a query, p50"
        ratios = {
            name: {
                "a query takes, times ours": round(one[query] / figures["ours"][query], 2),
                "putting takes, times ours": round(figures["ours"][speed] / one[speed], 2),
            }
            for name, one in figures.items()
            if name != "ours"
        }
        return {"pieces": size, "figures": figures, "ratios": ratios}


def main() -> None:
    """Print the figures of each size as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--exact-up-to", type=int, default=EXACT_UP_TO)
    parser.add_argument("--beside", nargs="+", choices=("qdrant", "lancedb"), default=[])
    arguments = parser.parse_args()
    for size in arguments.sizes:
        told = beside(size, arguments) if arguments.beside else measure(size, arguments)
        print(json.dumps(told, indent=2), flush=True)


if __name__ == "__main__":
    main()
