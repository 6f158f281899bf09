"""The list of words reads what has changed and nothing else."""

from collections.abc import Sequence
from typing import Any

import pytest

from dragoman.core.documents import Equals
from dragoman.rag.stores.listed import Listed, grouped
from dragoman.rag.stores.rows import Record, Row, key_of, piece_of
from tests.rag.shelves import batch


class Lists:
    """Rows of sources, and which were asked for."""

    def __init__(self) -> None:
        self.held: dict[str, Any] = {}
        self.asked: list[Sequence[str]] = []

    def put(self, name: str, texts: Sequence[str], token: str, **words: Any) -> Record:
        """Hold a source."""
        self.held[name] = batch(name, texts, **words)
        return Record(name, "1", token, int(token), len(texts), "", language="en")

    def rows(self, sources: Sequence[str], vectors: bool = False) -> list[Row]:
        """The rows of sources."""
        self.asked.append(sources)
        chunks = [chunk for source in sources for chunk in self.held[source].chunks]
        return [Row(piece_of(chunk), key_of(chunk.embedded), chunk.access) for chunk in reversed(chunks)]


def test_only_what_has_changed_is_read() -> None:
    lists, listed = Lists(), Listed()
    records = {
        "a": lists.put("a", ["a red car", "a boat"], "2"),
        "b": lists.put("b", ["a boat"], "1", meta={"year": 1}, access=["board"]),
    }
    listed.refresh(lists, records)  # type: ignore[arg-type]
    assert listed.places == [("b", 0), ("a", 0), ("a", 1)]  # as they were put, whatever they are called
    scores = listed.scores("boats")
    assert scores[0] == scores[2] > 0 == scores[1] and listed.at("a", 1) == 2 and listed.at("a", 7) is None
    assert listed.allowed(None, frozenset()).tolist() == [False, True, True]
    assert listed.allowed(Equals("year", 1), frozenset({"board"})).tolist() == [True, False, False]
    lists.asked.clear()
    records = {"a": lists.put("a", ["a train", "a boat"], "3"), "b": records["b"]}
    listed.refresh(lists, records)  # type: ignore[arg-type]
    assert lists.asked == [["a"]] and not listed.scores("car").any() and listed.scores("train").any()
    listed.refresh(lists, {"b": records["b"]})  # type: ignore[arg-type]
    assert listed.places == [("b", 0)] and listed.scores("boat").any() and not listed.scores("train").any()


def test_a_source_whose_reading_failed_is_read_again() -> None:
    lists, listed = Lists(), Listed()
    records = {"a": lists.put("a", ["a red car"], "1")}
    whole = lists.held.pop("a")
    with pytest.raises(KeyError):
        listed.refresh(lists, records)  # type: ignore[arg-type]
    lists.held["a"] = whole
    listed.refresh(lists, records)  # type: ignore[arg-type]
    assert listed.places == [("a", 0)] and listed.scores("car").any()


def test_sources_are_read_together() -> None:
    sizes = (0, 1500, 400, 300, 5000, 1)
    records = [Record(str(at), "1", "t", at, size, "") for at, size in enumerate(sizes)]
    assert [[one.chunks for one in group] for group in grouped(records)] == [[0, 1500, 400], [300], [5000], [1]]
    assert grouped([]) == []
