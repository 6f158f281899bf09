"""A store over a database: what it finds is what brute force finds, and what changes under it is never seen half."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dragoman.core.documents import Equals, Not, OneOf, Query, Range
from dragoman.core.errors import Busy, UserError
from dragoman.rag.search import Looking, Retriever
from dragoman.rag.stores.kept import KeptStore
from dragoman.rag.stores.rows import Keeper
from tests.rag.conftest import KINDS, MakeKeeper
from tests.rag.memory import MemoryStore
from tests.rag.shelves import Embedding, batch, embed, removal

LETTERS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda")


class Between:
    """A keeper under which something else happens, once, just before it is asked for what is near."""

    def __init__(self, keeper: Keeper, doing: Iterator[Any]) -> None:
        self.keeper, self.doing = keeper, doing

    def __getattr__(self, name: str) -> Any:
        return getattr(self.keeper, name)

    def near(self, *words: Any) -> Any:
        """What is near, after the next thing was done."""
        next(self.doing, None)
        return self.keeper.near(*words)


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_agrees_with_brute_force(kind: str, make_keeper: MakeKeeper) -> None:
    rng = np.random.default_rng(0)
    kept, memory = KeptStore(make_keeper(kind, "one"), language="en"), MemoryStore()
    for turn in range(16):
        source = f"s{rng.integers(6)}"
        # A word of its own makes each text another: of texts that are equal a database may take any first.
        count = rng.integers(0, 6)
        texts = [" ".join([*rng.choice(LETTERS, size=rng.integers(1, 8)), f"{turn}x{at}"]) for at in range(count)]
        groups = ["board"] if rng.random() < 0.3 else []
        given = batch(source, texts, str(turn), {"year": int(rng.integers(5))}, groups)
        given = removal(source) if rng.random() < 0.2 else given
        assert kept.apply(given) == memory.apply(given)
        words = " ".join(rng.choice(LETTERS, size=3))
        limits = (None, Range("year", int(rng.integers(5))), Not(OneOf("year", (1, 3))))
        who = frozenset({"board"} if rng.random() < 0.5 else ())
        query = Query(words, embed([words])[0], int(rng.integers(1, 8)), limits[turn % 3], who)
        ours, theirs = kept.search(query), memory.search(query)
        assert [hit.chunk for hit in ours] == [hit.chunk for hit in theirs]
        for one, other in zip(ours, theirs, strict=True):
            assert one.dense == pytest.approx(other.dense, abs=1e-5)
            assert one.lexical == pytest.approx(other.lexical, abs=1e-5)
    assert list(kept.scan()) == list(memory.scan()) and kept.sources() == memory.sources()
    found = kept.verify()
    assert found.problems == () and found.chunks == memory.verify().chunks
    query = Query("alpha beta", embed(["alpha"])[0])
    assert kept.search(query) == KeptStore(make_keeper(kind, "one")).search(query) != []


@pytest.mark.parametrize("kind", KINDS)
def test_what_changes_under_a_search_is_seen_whole(kind: str, make_keeper: MakeKeeper) -> None:
    keeper = make_keeper(kind, "one")
    writer = KeptStore(keeper, language="en")
    writer.apply(batch("a", ["a red car", "a blue car"]))

    def changes() -> Iterator[None]:
        writer.apply(batch("a", ["a green car", "a white car", "a black car"], "2"))
        yield
        writer.apply(removal("a"))
        yield

    reader = KeptStore(Between(keeper, changes()), language="en")
    query = Query("car", embed(["car"])[0])
    # What the search was made under is gone by its end: it is made again, and then once more.
    assert reader.search(query) == []
    assert not reader.sources()

    def always() -> Iterator[None]:
        for turn in range(100):
            writer.apply(batch("a", ["a car"], str(turn)))
            yield

    if kind == "qdrant":
        busy = KeptStore(Between(keeper, always()), language="en")
        with pytest.raises(Busy, match="faster"):
            busy.search(query)


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_come_from_one_model(kind: str, make_keeper: MakeKeeper) -> None:
    store = KeptStore(make_keeper(kind, "one"), "m", "en")
    assert store.space() == "" and store.vectors_of(["x"]) == {} and list(store.scan()) == []
    assert store.noted("facts") == "" and store.search(Query("x", embed(["x"])[0])) == []
    store.note("facts", "one 'fact'\0")
    store.note("facts", "another \0'fact'")
    store.apply(batch("a", ["a car", "a boat"]))
    assert store.noted("facts") == "another \0'fact'" and store.space() == "m"
    store.apply(batch("b", ["a boat"], vectors=False))  # its text has a vector already
    text = "Title\na boat"
    assert store.vectors_of([text, "none"]).keys() == {text}
    assert np.allclose(store.vectors_of([text])[text], embed([text])[0], atol=1e-6)
    with pytest.raises(UserError, match="'other'"):
        KeptStore(make_keeper(kind, "one"), "other").apply(batch("c", ["a train"]))
    assert store.caps.lexical and store.problems()["a"] == ("page 2 holds no text: it is a scan",)
    wordless = KeptStore(make_keeper(kind, "two"), "m", "en", words_up_to=1)
    wordless.apply(batch("a", ["a car", "a boat"]))
    assert not wordless.caps.lexical
    hits = Retriever(wordless, Embedding(), Looking(variety=0.3))("a car", 2)
    assert len(hits) == 2 and all(hit.lexical is None and hit.dense is not None for hit in hits)
    with pytest.raises(UserError, match="words are not searched past 1 pieces"):
        wordless.search(Query("car"))


@pytest.mark.parametrize("kind", KINDS)
def test_documents_without_vectors(kind: str, make_keeper: MakeKeeper) -> None:
    store = KeptStore(make_keeper(kind, "one"), language="en")
    store.apply(batch("a", ["a car", "a boat"], vectors=False))
    assert [hit.chunk.text for hit in store.search(Query("boat", embed(["x"])[0]))] == ["a boat"]
    assert store.verify().problems == () and store.space() == ""
    with pytest.raises(UserError, match="no vectors"):
        store.apply(batch("b", ["a train"]))
    store.apply(removal("a"))
    store.apply(batch("b", ["a train"]))
    assert store.search(Query("train", embed(["Title\na train"])[0]))[0].dense == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_odd_metadata(kind: str, make_keeper: MakeKeeper) -> None:
    store = KeptStore(make_keeper(kind, "one"), language="en")
    meta: dict[str, Any] = {"a.b['c']": "it's", "A": "x\0y", "id": 2**53 + 1, "nan": float("nan"), "päge": 3}
    store.apply(batch("it's", ["a car"], meta=meta, access=["böard's"]))
    who = frozenset({"böard's", "\ud800"})
    for wanted, count in (
        (Equals("a.b['c']", "it's"), 1),
        (Equals("a.b['c']", "it"), 0),
        (Equals("A", "x\0y"), 1),
        (Equals("a", "x\0y"), 0),
        (Equals("id", 2**53 + 1), 1),
        (Equals("id", 2**53), 0),  # the same double, and not the same number
        (Range("id", 10**400), 0),
        (Range("id", None, 10**400), 1),
        (Range("nan"), 0),
        (Range("päge", 3, 3), 1),
        (Equals("source", "it's"), 1),
        (OneOf("source", (1, "it's")), 1),
        (Equals("päge", "\ud800"), 0),
    ):
        for query in (Query("car", None), Query("", embed(["car"])[0])):
            asked = dataclasses.replace(query, filter=wanted, access=who)
            assert len(store.search(asked)) == count, wanted
    assert store.search(Query("car", embed(["car"])[0], access=frozenset({"\ud800", "?"}))) == []
    with pytest.raises(UserError, match="too large"):
        store.apply(batch("b", ["a car"], meta={"n": 10**400}))
    with pytest.raises(UserError, match="is no filter"):
        store.search(Query("car", filter="year > 2020"))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_without_pieces_may_come_first(kind: str, make_keeper: MakeKeeper) -> None:
    store = KeptStore(make_keeper(kind, "one"), "m", "en")
    store.apply(batch("blank", []))
    store.apply(batch("again", []))
    assert store.apply(batch("a", ["a train"])).added == 1
    assert store.apply(batch("again", ["a car"], "2")).added == 1
    assert store.sources() == {"a": "1", "again": "2", "blank": "1"} and store.space() == "m"
    assert store.apply(batch("blank", [])).unchanged and store.verify().problems == ()
