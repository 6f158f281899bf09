"""What every store does, whatever it lies in: each check takes an empty one."""

import dataclasses

import numpy as np
import pytest

from dragoman.core.documents import All, Batch, Either, Equals, Filter, Not, OneOf, Query, Range, Value
from dragoman.core.doors import Store
from dragoman.core.errors import UserError
from tests.rag.shelves import WIDTH, batch, embed, piece, removal

__all__ = ["CHECKS", "WANTED"]

RED, BLUE = "the red car is in the garage", "a blue bicycle stands in the garden"
WANTED: tuple[tuple[Filter, set[str]], ...] = (
    (Equals("year", 2020), {"a"}),
    (Equals("year", 2020.0), {"a"}),
    (Equals("flag", True), {"c"}),
    (Equals("flag", 1), {"d"}),
    (Equals("source", "b"), {"b"}),
    (Equals("none", ""), set()),
    (OneOf("kind", ("x", "z")), {"a", "d"}),
    (OneOf("kind", ()), set()),
    (Range("year", 2021), {"b", "c"}),
    (Range("year", None, 2021), {"a", "b"}),
    (Range("year", 2021, 2021), {"b"}),
    (Range("flag", 0, 2), {"d"}),
    (Range("kind", 0, 2), set()),
    (Range("year"), {"a", "b", "c"}),
    (All(()), {"a", "b", "c", "d"}),
    (All((Range("year", 2021), Equals("kind", "y"))), {"b", "c"}),
    (Either(()), set()),
    (Either((Equals("source", "a"), Equals("flag", True))), {"a", "c"}),
    (Not(Equals("kind", "y")), {"a", "d"}),
    (Not(Range("year", 2021)), {"a", "d"}),
)


def found(store: Store, text: str = "", k: int = 10, **words: object) -> list[str]:
    """The sources that a search by words finds, in order."""
    query = dataclasses.replace(Query(text, k=k), **words)  # type: ignore[arg-type]
    return [hit.chunk.source for hit in store.search(query)]


def by_words_and_by_vector(store: Store) -> None:
    """A search by words, one by vector, and both apart."""
    store.apply(batch("a", [RED, BLUE]))
    store.apply(batch("b", ["cars and cars in the street", "nothing of the kind"]))
    words = store.search(Query("car"))
    assert [(hit.chunk.source, hit.chunk.number) for hit in words] == [("b", 0), ("a", 0)]
    assert all(hit.dense is None and hit.lexical == hit.score > 0 for hit in words)
    vector = embed([f"Title\n{BLUE}"])[0]
    near = store.search(Query(vector=vector, k=2))
    assert near[0].chunk.text == BLUE and near[0].score == pytest.approx(1, abs=1e-6)
    assert len(near) == 2 and near[0].score >= near[1].score and near[1].lexical is None
    both = store.search(Query("car", vector, k=1))
    assert {hit.chunk.text for hit in both} == {BLUE, "cars and cars in the street"}
    assert all(hit.dense is not None and hit.lexical is not None and hit.score == hit.dense for hit in both)
    assert store.search(Query()) == [] and store.search(Query("zeppelin")) == []


def a_source_is_replaced_and_removed(store: Store) -> None:
    """A later version takes the place of an earlier one; the same version changes nothing."""
    first = store.apply(batch("a", [RED, BLUE]))
    assert (first.added, first.removed, first.unchanged) == (2, 0, False)
    again = store.apply(batch("a", [RED, BLUE]))
    assert again.unchanged and again.added == again.removed == 0
    second = store.apply(batch("a", ["a green train"], "2"))
    assert (second.added, second.removed) == (1, 2)
    assert found(store, "car bicycle") == [] and found(store, "train") == ["a"] and store.sources() == {"a": "2"}
    gone = store.apply(removal("a"))
    assert (gone.added, gone.removed) == (0, 1) and store.sources() == {} and list(store.scan()) == []
    assert store.apply(removal("a")).unchanged and store.search(Query("train", embed(["x"])[0])) == []


def filters_and_access(store: Store) -> None:
    """What a filter or an access list keeps out is found by no search; filters hold for scans too."""
    metas: dict[str, dict[str, Value]] = {
        "a": {"year": 2020, "kind": "x"},
        "b": {"year": 2021, "kind": "y"},
        "c": {"year": 2022.5, "kind": "y", "flag": True},
        "d": {"kind": "z", "flag": 1},
    }
    for source, meta in metas.items():
        store.apply(batch(source, [f"{RED} {source}"], meta=meta))
    for wanted, names in WANTED:
        query = Query("car", embed(["car"])[0], filter=wanted)
        assert {hit.chunk.source for hit in store.search(query)} == names, wanted
        assert {chunk.source for chunk in store.scan(wanted)} == names, wanted
    store.apply(batch("secret", [RED], access=["lawyers", "board"]))
    vector = embed([f"Title\n{RED}"])[0]
    for groups, seen in ((set(), False), ({"sales"}, False), ({"board"}, True), ({"sales", "lawyers"}, True)):
        hits = store.search(Query("car", vector, access=frozenset(groups)))
        assert ("secret" in {hit.chunk.source for hit in hits}) is seen
    everyone = store.search(Query("car", vector, k=1, filter=Equals("source", "secret")))
    assert everyone == []
    deep: Filter = Equals("a", 1)
    for _ in range(40):
        deep = Not(deep)
    with pytest.raises(UserError, match="deep"):
        store.search(Query("car", filter=deep))


def equal_texts_keep_their_own_access(store: Store) -> None:
    """One text in two sources is two pieces: each is seen by its own readers, and one leaves without the other."""
    store.apply(batch("open", [RED]))
    store.apply(batch("closed", [RED], access=["board"], meta={"year": 1}))
    vector = embed([f"Title\n{RED}"])[0]
    assert found(store, "car", vector=vector) == ["open"]
    assert found(store, "car", vector=vector, access=frozenset({"board"})) == ["open", "closed"]
    assert found(store, "car", vector=vector, filter=Equals("year", 1)) == []
    store.apply(removal("open"))
    assert found(store, "car", vector=vector) == []
    assert found(store, "car", vector=vector, access=frozenset({"board"})) == ["closed"]


def parents_are_read_and_not_found(store: Store) -> None:
    """A parent comes back from a scan as it was put there, and from no search."""
    large = piece("p", 0, f"{RED}. {BLUE}.", is_parent=True)
    small = [piece("p", 1, RED, {"of": "p"}, parent=0), piece("p", 2, BLUE, parent=0)]
    vectors = embed([chunk.embedded for chunk in small])
    store.apply(Batch("p", "1", "Title", (large, *small), vectors))
    assert {hit.chunk.number for hit in store.search(Query("car bicycle", vectors[0]))} == {1, 2}
    assert list(store.scan()) == [large, *small]


def what_does_not_fit_is_refused(store: Store) -> None:
    """A batch that is refused leaves nothing behind."""
    store.apply(batch("a", [RED]))
    good = batch("b", [RED, BLUE])
    assert good.vectors is not None
    wrong = [
        dataclasses.replace(good, vectors=good.vectors[:1]),
        dataclasses.replace(good, vectors=good.vectors * 2),
        dataclasses.replace(good, vectors=np.full_like(good.vectors, np.nan)),
        dataclasses.replace(good, vectors=embed(["x", "y"], WIDTH + 1)),
        dataclasses.replace(good, vectors=None),
        dataclasses.replace(good, source="c"),
        dataclasses.replace(good, source="", chunks=()),
        dataclasses.replace(good, version=""),
        dataclasses.replace(good, chunks=(good.chunks[0], good.chunks[0])),
        dataclasses.replace(good, chunks=(good.chunks[0], dataclasses.replace(good.chunks[1], parent=0))),
        dataclasses.replace(good, chunks=(good.chunks[0], dataclasses.replace(good.chunks[1], text="\ud800"))),
        dataclasses.replace(good, meta={"a": [b"no"]}),  # type: ignore[dict-item]
    ]
    for one in wrong:
        with pytest.raises(UserError):
            store.apply(one)
        assert store.sources() == {"a": "1"} and len(list(store.scan())) == 1
    assert store.verify().problems == ()
    for query in (Query("a", k=0), Query("a", k=10**6), Query(vector=np.ones(WIDTH, np.float32))):
        with pytest.raises(UserError):
            store.search(query)


def odd_texts_come_back(store: Store) -> None:
    """Whatever a text holds, the piece is the same afterwards."""
    odd = ["", " ", "\0nul", "a\u0301 e\u0301", "日本語の本", "🙂" * 3, "' OR 1=1 --", "x" * 100_000]
    given = batch("ödd/näme 'q'.md", odd, meta={"näme": "wörd", "huge": 10**30, "tiny": 1e-300, "no": False})
    store.apply(given)
    assert tuple(store.scan()) == given.chunks
    assert found(store, "日本語") == ["ödd/näme 'q'.md"]
    assert store.verify().problems == ()


CHECKS = (
    by_words_and_by_vector,
    a_source_is_replaced_and_removed,
    filters_and_access,
    equal_texts_keep_their_own_access,
    parents_are_read_and_not_found,
    what_does_not_fit_is_refused,
    odd_texts_come_back,
)
