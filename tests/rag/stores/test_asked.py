"""A filter as databases are asked it holds for the same pieces as the filter that was given."""

import itertools
from typing import Any

import pytest

from dragoman.core.documents import All, Either, Equals, Not, OneOf, Range
from dragoman.core.errors import UserError
from dragoman.rag.filters import holds
from dragoman.rag.stores.asked import NOTHING, plain

VALUES: tuple[Any, ...] = (True, False, 0, 1, 1.0, 2.5, -3, "", "1", "true", 2**70, float("nan"))
WANTED = (
    *(Equals("a", value) for value in (*VALUES, float("inf"), 10**400)),
    *(Range("a", low, high) for low, high in itertools.product((None, 0, 2.5, float("inf"), float("nan")), repeat=2)),
    OneOf("a", (1, "1")),
    OneOf("source", (1, "s")),
    Range("source", 0, 1),
    Range("a", -(10**400), 10**400),
    Not(All((Equals("a", 1), Either(())))),
)


@pytest.mark.parametrize("wanted", WANTED, ids=repr)
def test_it_holds_for_the_same(wanted: Any) -> None:
    for value in VALUES:
        assert holds(plain(wanted), "s", {"a": value}) is holds(wanted, "s", {"a": value})
    assert holds(plain(wanted), "s", {}) is holds(wanted, "s", {})


def test_nothing_odd_is_left() -> None:
    assert plain(Equals("a", "x\0\ud800")) == Equals("a", "x\ufffd?")
    assert plain(Equals("source", 1)) == NOTHING and plain(OneOf("a", ())) == Either(())
    with pytest.raises(UserError, match="is no filter"):
        plain("a = 1")  # type: ignore[arg-type]
