"""Every store does the same, whatever it lies in, on chosen documents and on drawn ones."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dragoman.core.documents import Query, Range
from dragoman.core.doors import Store
from dragoman.rag.store import SqliteStore
from tests.rag.conformance import CHECKS
from tests.rag.memory import MemoryStore
from tests.rag.shelves import batch, embed, removal

LETTERS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_store_does_what_every_store_does(store: Store, check: Callable[[Store], None]) -> None:
    check(store)
    store.close()


def test_the_store_in_a_file_agrees_with_brute_force(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    file, memory = SqliteStore(tmp_path / "index.db", language="en"), MemoryStore()
    for turn in range(60):
        source = f"s{rng.integers(12)}"
        texts = [" ".join(rng.choice(LETTERS, size=rng.integers(1, 8))) for _ in range(rng.integers(0, 6))]
        groups = ["board"] if rng.random() < 0.3 else []
        given = batch(source, texts, str(turn), {"year": int(rng.integers(5))}, groups)
        given = removal(source) if rng.random() < 0.2 else given
        assert file.apply(given) == memory.apply(given)
        words = " ".join(rng.choice(LETTERS, size=3))
        limit = Range("year", int(rng.integers(5))) if rng.random() < 0.5 else None
        who = frozenset({"board"} if rng.random() < 0.5 else ())
        query = Query(words, embed([words])[0], int(rng.integers(1, 8)), limit, who)
        ours, theirs = file.search(query), memory.search(query)
        assert [hit.chunk for hit in ours] == [hit.chunk for hit in theirs]
        for one, other in zip(ours, theirs, strict=True):
            assert one.dense == pytest.approx(other.dense, abs=1e-6)
            assert one.lexical == pytest.approx(other.lexical, abs=1e-5)
        assert list(file.scan()) == list(memory.scan()) and file.sources() == memory.sources()
    assert file.verify().problems == () and file.verify().chunks == memory.verify().chunks
    query = Query("alpha beta", embed(["alpha"])[0])
    again = SqliteStore(tmp_path / "index.db", language="en")
    assert again.search(query) == file.search(query) != []
    file.close()
    again.close()
