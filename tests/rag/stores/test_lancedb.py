"""LanceDB holds a source and its record in one commit; columns of numbers come as they are met, and stay."""

from pathlib import Path
from typing import Any

import pytest

from dragoman.core.documents import Equals, Query, Value
from dragoman.core.errors import UserError
from dragoman.rag.stores import lancedb as module
from dragoman.rag.stores.kept import KeptStore
from dragoman.rag.stores.lancedb import LanceKeeper
from tests.rag.conftest import MakeKeeper
from tests.rag.shelves import batch, embed

pytest.importorskip("lancedb")


def test_numbers_that_come_later(make_keeper: MakeKeeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY", 2)  # small files are made one meanwhile
    store = KeptStore(make_keeper("lancedb", "one"), language="en")
    vector = embed(["x"])[0]
    metas: tuple[dict[str, Value], ...] = ({}, {"year": 2020}, {"Year": 1, "year": 2021}, {"year": "2020"})
    for turn, meta in enumerate(metas):
        store.apply(batch(f"s{turn}", ["a car"], meta=meta))
    for wanted, names in (
        (Equals("year", 2020), ["s1"]),
        (Equals("Year", 1), ["s2"]),
        (Equals("year", "2020"), ["s3"]),
    ):
        assert [hit.chunk.source for hit in store.search(Query(vector=vector, filter=wanted))] == names
    assert KeptStore(make_keeper("lancedb", "one")).verify().problems == ()


def test_a_commit_that_fails_changes_nothing(make_keeper: MakeKeeper, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = make_keeper("lancedb", "one")
    assert isinstance(keeper, LanceKeeper)
    store = KeptStore(keeper, language="en")
    store.apply(batch("a", ["a car", "a boat"]))
    before = (list(store.scan()), store.sources(), keeper.generation())

    def fails(*_: Any) -> Any:
        raise RuntimeError("the disk of 'a train' is gone")

    with monkeypatch.context() as context:
        context.setattr(type(keeper._table(module.PIECES)), "merge_insert", fails)
        with pytest.raises(UserError, match="LanceDB cannot use") as caught:
            store.apply(batch("a", ["a train"], "2"))
    assert "train" not in str(caught.value)
    assert (list(store.scan()), store.sources(), keeper.generation()) == before
    store.apply(batch("a", ["a train"], "2"))
    assert [chunk.text for chunk in store.scan()] == ["a train"]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be used"):
        LanceKeeper(str(tmp_path / "file"))
