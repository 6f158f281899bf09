"""Qdrant has no transactions: stopped at any step of a change, a reader finds the old whole or the new whole."""

import gc
import warnings
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.documents import Query
from dragoman.core.errors import Busy, UserError
from dragoman.rag.stores.kept import KeptStore
from dragoman.rag.stores.qdrant import QdrantKeeper
from tests.rag.conftest import MakeKeeper
from tests.rag.shelves import batch, embed, removal

pytest.importorskip("qdrant_client")
WRITES = ("upsert", "delete", "create_collection", "delete_collection")


class Stopping:
    """A client that stops working after a number of writes, as one that is killed does."""

    def __init__(self, client: Any, left: int) -> None:
        self.client, self.left = client, left

    def __getattr__(self, name: str) -> Any:
        if name in WRITES:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
        return getattr(self.client, name)


def seen(keeper: QdrantKeeper) -> tuple[list[str], list[str], dict[str, str]]:
    """What a reader finds that has just come: by vector, by reading all, and the manifest."""
    store = KeptStore(keeper, language="en")
    by_vector = sorted(hit.chunk.text for hit in store.search(Query(vector=embed(["x"])[0])))
    return by_vector, sorted(chunk.text for chunk in store.scan()), store.sources()


def test_killed_at_every_step(make_keeper: MakeKeeper) -> None:
    keeper = make_keeper("qdrant", "one")
    assert isinstance(keeper, QdrantKeeper)
    client = keeper._client
    old, new = batch("a", ["a red car", "a boat"]), batch("a", ["a train", "a plane", "a bus"], "2")
    states: list[tuple[list[str], list[str], dict[str, str]]] = [([], [], {})]
    for given in (old, new):
        texts = sorted(chunk.text for chunk in given.chunks)
        states.append((texts, texts, {"a": given.version}))
    ends = {0: (old, 1), 1: (new, 2), 2: (removal("a"), 0)}
    store = KeptStore(keeper, language="en")
    for begin, (given, end) in ends.items():
        for left in range(20):
            keeper._client = Stopping(client, left)
            try:
                store.apply(given)
            except KeyboardInterrupt:
                keeper._client = client
                found = seen(keeper)
                assert found in (states[begin], states[end])
                assert not KeptStore(keeper).verify().problems
                if found == states[end]:
                    break
            else:
                raise AssertionError("the change was never stopped")
        else:
            raise AssertionError("the change was never made")
        keeper._client = client
        store.apply(given)
        assert seen(keeper) == states[end]
    # What was left of the changes that were stopped is taken out by the next one, whatever that is of.
    store.apply(batch("b", ["a bike"]))
    assert client.count(keeper.pieces).count == 1 and client.count(keeper.manifest).count == 2


def test_a_folder_is_held_by_one(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    keeper = QdrantKeeper(str(tmp_path / "q"))
    with pytest.raises(Busy, match="held by another"):
        QdrantKeeper(str(tmp_path / "q"))
    gc.collect()  # the client leaves its lock file open
    keeper.close()
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be opened"):
        QdrantKeeper(str(tmp_path / "file"))


def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "sesame")
    with pytest.warns(UserWarning, match="insecure"):
        keeper = QdrantKeeper("http://127.0.0.1:9", "x")
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:9 does not answer") as caught:
        KeptStore(keeper).sources()
    assert "sesame" not in f"{caught.value}{caught.value.hint}"
    keeper.close()


def test_a_key_is_not_sent_in_plain_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "sesame")
    with pytest.raises(UserError, match="unencrypted") as caught:
        QdrantKeeper("http://db.example.org:6333")
    assert "sesame" not in f"{caught.value}{caught.value.hint}"
    for place in ("https://db.example.org", "http://127.0.0.1:6333", "http://[::1]:6333", "http://localhost:6333"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the client warns of a key without encryption, on this machine too
            QdrantKeeper(place).close()
    monkeypatch.delenv("QDRANT_API_KEY")
    QdrantKeeper("http://db.example.org:6333").close()
