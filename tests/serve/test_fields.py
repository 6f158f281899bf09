"""Fields are taken one by one, and what nobody took is refused by a name that cannot hurt a terminal or a page."""

from collections.abc import Callable
from typing import Any

import pytest

from dragoman.serve.fields import Fields
from dragoman.serve.refused import Refused

WRONG: list[tuple[Callable[[Fields], Any], Any]] = [
    (lambda one: one.text("x", 3), 5),
    (lambda one: one.number("x", 0, 1, 0), True),
    (lambda one: one.number("x", 0, 1, 0), "0.5"),
    (lambda one: one.number("x", 0, 1, 0), float("nan")),
    (lambda one: one.number("x", 0, 1, 0), 10**400),
    (lambda one: one.number("x", 0, 1, 0), float("inf")),
    (lambda one: one.integer("x", 0, 9, 0), 1.5),
    (lambda one: one.integer("x", 0, 9, 0), True),
    (lambda one: one.integer("x", 0, 9, 0), 10),
    (lambda one: one.flag("x"), 1),
    (lambda one: one.choice("x", ("a",), "a"), "b"),
    (lambda one: one.choice("x", ("a",), "a"), ["a"]),
    (lambda one: one.texts("x", 2, 9), [1]),
    (lambda one: one.texts("x", 2, 9), ""),
]


@pytest.mark.parametrize(("take", "value"), WRONG)
def test_another_kind_is_refused(take: Callable[[Fields], Any], value: Any) -> None:
    with pytest.raises(Refused) as refused:
        take(Fields({"x": value}, "outer"))
    assert refused.value.status == 400
    assert refused.value.param.startswith("outer.x")


def test_null_is_as_if_it_were_not_there() -> None:
    fields = Fields({"x": None, "y": None})
    assert fields.text("x", 3, "d") == "d"
    assert (fields.number("x", 0, 1, 0.5), fields.integer("x", 0, 9, 4), fields.texts("x", 1, 1)) == (0.5, 4, ())
    fields.done()


def test_too_much_is_413() -> None:
    for take in (lambda one: one.text("x", 3), lambda one: one.texts("x", 1, 3)):
        with pytest.raises(Refused) as refused:
            take(Fields({"x": "long enough"}))
        assert refused.value.status == 413


@pytest.mark.parametrize("name", ["odd\x1b[31m", "<script>", "x" * 500, "a\nb"])
def test_an_unknown_field_is_named_in_plain_letters(name: str) -> None:
    with pytest.raises(Refused) as refused:
        Fields({name: 1}).done()
    assert len(refused.value.param) <= 64
    assert not set(refused.value.param) & set("\x1b[<>\n")
    Fields({name: 1}).done((name,))


def test_what_is_no_object_is_refused() -> None:
    for value in ([], "x", None, 3):
        with pytest.raises(Refused, match="tools"):
            Fields(value, "tools[0]")
