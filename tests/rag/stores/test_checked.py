"""What a manifest says falsely is told and mended, whoever wrote past the store."""

import dataclasses

import numpy as np
import pytest

from dragoman.core.documents import Query
from dragoman.rag.stores import lancedb, pgvector, qdrant_points
from dragoman.rag.stores.kept import KeptStore
from dragoman.rag.stores.rows import Record, piece_of
from tests.rag.conftest import KINDS, MakeKeeper
from tests.rag.shelves import batch, removal


@pytest.mark.parametrize("kind", KINDS)
def test_a_manifest_that_is_not_true_is_made_again(kind: str, make_keeper: MakeKeeper) -> None:
    keeper = make_keeper(kind, "one")
    store = KeptStore(keeper, "m", "en")
    given = {name: batch(name, [f"a red car {name}", "and a boat"]) for name in "abcd"}
    for one in given.values():
        store.apply(one)
    made, held = keeper.made(), keeper.records()
    assert store.verify().problems == () and store.verify().model == "m"
    # Somebody writes past the store: other pieces, other vectors, a record of what is not there, one that is lost.
    b, c = given["b"], given["c"]
    keeper.put(held["b"], [dataclasses.replace(b.chunks[0], text="a fake"), b.chunks[1]], b.vectors, made)
    keeper.put(held["c"], c.chunks, None if c.vectors is None else c.vectors * np.float32(0.5), made)
    keeper.mark(dataclasses.replace(held["d"], chunks=7))
    keeper.mark(dataclasses.replace(held["a"], source="ghost"))
    told = store.verify().problems
    for line in ("b: its pieces are not those", "c: piece 0 has a vector", "d: 2 pieces, and 7", "ghost: 0 pieces"):
        assert any(line in one for one in told), (line, told)
    assert not any(one.startswith("a:") for one in told)
    # They count as without a version from now on, so the same versions are put in again, and all is well.
    assert store.sources() == {"a": "1", "b": "", "c": "", "d": "", "ghost": ""}
    assert "put in again" in store.verify().problems[0]
    for name in "abcd":
        assert store.apply(given[name]).unchanged is (name == "a")
    store.apply(removal("ghost"))
    assert store.verify().problems == () and store.sources() == dict.fromkeys("abcd", "1")
    assert [hit.chunk.text for hit in store.search(Query("fake"))] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_piece_or_record_is_told(kind: str, make_keeper: MakeKeeper, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = make_keeper(kind, "one")
    store = KeptStore(keeper, "m", "en")
    given = batch("a", ["a red car", "and a boat"])
    store.apply(given)
    with monkeypatch.context() as patched:
        for module in (lancedb, pgvector, qdrant_points):
            patched.setattr(module, "piece_of", lambda chunk: "[1, 2" if chunk.number else piece_of(chunk))
        keeper.put(keeper.records()["a"], given.chunks, given.vectors, keeper.made())
    assert store.verify().problems == ("a: its pieces are not those of the manifest",)
    assert not store.apply(given).unchanged and store.verify().problems == ()
    with monkeypatch.context() as patched:  # and so is what the manifest says of it
        patched.setattr(Record, "text", '{"source": ')
        keeper.mark(keeper.records()["a"])
    assert store.sources() == {} and store.search(Query("car")) == []
    assert store.verify().problems == ("a: 2 pieces that no manifest names",)
    assert not store.apply(given).unchanged and store.verify().problems == ()
    assert len(store.search(Query("car boat"))) == 2
