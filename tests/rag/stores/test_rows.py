"""Pieces and records come back as they were put, and names of metadata never meet."""

import pytest

from dragoman.core.errors import UserError
from dragoman.rag.stores.rows import (
    Record,
    as_number,
    as_word,
    chunk_in,
    column,
    key_of,
    piece_of,
    record_in,
    whole_hash,
)
from tests.rag.shelves import piece


def test_there_and_back() -> None:
    chunk = piece("s", 3, "\0nul 日本 🙂", {"a": 1.5, "b": True, "c": 10**30}, ["x", "y"], parent=1)
    assert chunk_in(piece_of(chunk)) == chunk and "\0" not in piece_of(chunk)
    record = Record("s", "1", "t", 5, 2, "h", "T", "en", "m", ("p",), {"a": 1})
    assert record_in(record.text) == record
    assert len(key_of("x")) == 64 and whole_hash(["a", "b"]) != whole_hash(["b", "a"])


def test_columns_and_values() -> None:
    names = ("year", "Year", "x_79656172", "a.b", "a_b", "päge", "", "_")
    assert len({column(kind, name) for kind in "snb" for name in names}) == 3 * len(names)
    assert all(column("n", name).isascii() and column("n", name).replace("_", "").isalnum() for name in names)
    assert as_word("a\0\udc80") == "a\ufffd?"
    assert as_number("a", 3) == 3.0 and as_number("a", float("nan")) is None
    for number in (10**400, float("inf")):
        with pytest.raises(UserError, match="too large"):
            as_number("a", number)
