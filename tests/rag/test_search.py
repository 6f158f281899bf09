"""A retriever embeds a question once, fuses, varies, rates again, and gives the larger piece where it is asked to."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dragoman.core.documents import Batch, Equals
from dragoman.core.errors import UserError
from dragoman.rag.search import Looking, Retriever
from dragoman.rag.store import SqliteStore
from tests.rag.shelves import Embedding, batch, embed, piece

RED, BLUE, GREEN = "the red car is in the garage", "a blue bicycle stands here", "a green train"


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    """Three sources, one of them twice, one for the board alone, and one of parts of a larger piece."""
    store = SqliteStore(tmp_path / "index.db", language="en")
    store.apply(batch("a", [RED, BLUE], meta={"year": 1}))
    store.apply(batch("copy", [RED]))
    store.apply(batch("secret", [GREEN], access=["board"]))
    parts = [piece("p", 1, "carts are slow", parent=0), piece("p", 2, "carts are old", parent=0)]
    whole = piece("p", 0, "carts are slow. carts are old.", is_parent=True)
    store.apply(Batch("p", "1", "", (whole, *parts), embed([part.embedded for part in parts])))
    return store


def test_a_question_is_embedded_once_and_found_by_words_and_meaning(store: SqliteStore) -> None:
    embedder = Embedding()
    hits = Retriever(store, embedder)(f"Title\n{BLUE}", 3)
    assert embedder.asked == [[f"Title\n{BLUE}"]]
    assert hits[0].chunk.text == BLUE and hits[0].score == pytest.approx(1, abs=1e-6)
    assert len(hits) == 3 and [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len({hit.chunk.text for hit in hits}) == 3  # the copy of RED is not given twice


def test_ways_of_looking(store: SqliteStore) -> None:
    by_words = Retriever(store)("red car")
    assert [hit.chunk.text for hit in by_words] == [RED] and by_words[0].dense is None
    embedder = Embedding()
    assert Retriever(store, embedder, Looking("lexical"))("red car") == by_words and not embedder.asked
    assert Retriever(store, embedder, Looking("dense"))("red car")[0].lexical is None
    ranked = Retriever(store, embedder, Looking("rrf"))(f"Title\n{BLUE}")
    assert ranked[0].chunk.text == BLUE and ranked[0].score == pytest.approx(2 / 11)
    assert Retriever(store, how=Looking(filter=Equals("year", 2)))("red car") == []
    assert Retriever(store)("  ") == [] and Retriever(store)("car", 0) == []
    with pytest.raises(UserError, match="embeds"):
        Retriever(store, how=Looking("dense"))("car")
    with pytest.raises(UserError, match="fusion"):
        Retriever(store, how=Looking("magic"))("car")  # type: ignore[arg-type]


def test_access(store: SqliteStore) -> None:
    retriever = Retriever(store, Embedding(), Looking(weight=0.1))
    assert GREEN not in [hit.chunk.text for hit in retriever("green train")]
    assert retriever("green train", 1, frozenset({"board"}))[0].chunk.text == GREEN


def test_the_larger_piece_is_given_once(store: SqliteStore) -> None:
    hits = Retriever(store, how=Looking(parents=True))("slow carts")
    assert [(hit.chunk.source, hit.chunk.number) for hit in hits] == [("p", 0)]
    assert [hit.chunk.number for hit in Retriever(store)("slow carts")] == [1, 2]


def test_what_is_rated_again(store: SqliteStore) -> None:
    def rate(questions: Sequence[str], texts: Sequence[str]) -> NDArray[np.float64]:
        assert {*questions} == {"car bicycle"}
        return np.array([float("bicycle" in text) if "red" not in text else np.nan for text in texts])

    hits = Retriever(store, rerank=rate)("car bicycle")
    assert [hit.chunk.text for hit in hits] == [BLUE, RED] and hits[0].score == 1
    plain = [hit.chunk.text for hit in Retriever(store)("car bicycle")]
    one = Retriever(store, how=Looking(reread=1), rerank=rate)("car bicycle")  # what is behind stays behind
    assert [hit.chunk.text for hit in one] == plain and one[0].score == one[1].score


def test_variety_takes_no_two_alike(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "other.db", language="en")
    chunks = tuple(piece("a", number, text) for number, text in enumerate(["car one", "car two", "car three far off"]))
    near, far = embed(["x"])[0], embed(["y"])[0]
    store.apply(Batch("a", "1", "", chunks, np.stack([near, near, far])))
    assert [hit.chunk.number for hit in Retriever(store)("car", 2)] == [0, 1]
    assert [hit.chunk.number for hit in Retriever(store, how=Looking(variety=0.6))("car", 2)] == [0, 2]
    assert Retriever(store, how=Looking(variety=0.6))("nothing") == []
