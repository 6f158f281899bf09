"""Qdrant's points carry typed metadata, and its conditions say no more than the filter."""

from typing import Any

import pytest

from dragoman.core.documents import All, Either, Equals, Not
from dragoman.core.errors import UserError
from dragoman.rag.stores.qdrant_points import compiled, fields_of, points_of, row_of
from tests.rag.shelves import batch, piece

pytest.importorskip("qdrant_client")


def test_points() -> None:
    given = batch("a", ["a car"], meta={"year": 2020, "Kind": "x", "flag": True, "nan": float("nan")}, access=["b"])
    large = piece("a", 9, "a car and a boat", is_parent=True)
    points = points_of("token", [large, *given.chunks], given.vectors)
    fields = fields_of(points)
    assert sorted(fields.values()) == ["bool", "float", "keyword"] and fields["n_year"] == "float"
    assert points[0].vector == {} and points[0].payload["key"] == "" and not points[1].payload["open"]
    row = row_of(points[1])
    assert row.chunk.text == "a car" and row.access == {"b"} and row.vector is not None
    assert points_of("other", given.chunks, given.vectors)[0].id != points[1].id


def test_conditions() -> None:
    nothing: Any = compiled(Either(()))
    assert nothing.should[0].key == "never" and compiled(All(())).must[0].must_not[0].key == "never"
    assert compiled(Not(Equals("flag", True))).must_not[0].match.value is True
    assert compiled(Equals("year", 2.0)).range.gte == compiled(Equals("year", 2.0)).range.lte == 2.0
    with pytest.raises(UserError, match="cannot be asked"):
        compiled("year")  # type: ignore[arg-type]
