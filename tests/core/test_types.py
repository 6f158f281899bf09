"""Values are frozen, equal by content, and an example knows what the user said."""

import dataclasses

import pytest

from dragoman.core import types
from dragoman.core.types import Answer, Estimate, Example, Message


@pytest.mark.parametrize("name", types.__all__)
def test_every_value_is_frozen_and_slotted(name: str) -> None:
    kind = getattr(types, name)
    assert kind.__dataclass_params__.frozen
    assert "__slots__" in vars(kind)


def test_a_value_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Estimate(0.5, 0.4, 0.6, 10).value = 1.0  # type: ignore[misc]


def test_equal_content_is_equal() -> None:
    assert Message("user", "hi") == Message("user", "hi")
    assert len({Message("user", "hi"), Message("user", "hi"), Message("system", "hi")}) == 2


def test_the_text_of_an_example_is_what_the_user_says() -> None:
    said = (Message("system", "sort it"), Message("user", "one"), Message("assistant", "yes?"), Message("user", "two"))
    assert Example(said, ("label",)).text == "one\ntwo"
    assert Example((), ("a document",)).text == ""


def test_defaults_are_not_shared() -> None:
    first, second = Answer("a"), Answer("b")
    assert first.scores is not second.scores
