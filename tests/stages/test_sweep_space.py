"""Words of a search space: what they mean, and what is said of those that mean nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.errors import UserError
from dragoman.stages.sweep_space import Dimension, placed, read_space, shown


def test_ranges_and_lists_are_read() -> None:
    over = {
        "train": {"rate": "1e-4..1e-1 log", "batch": "8,16,32", "decay": "0..1", "warmup": "0.0..0.2"},
        "tuning": {"": "head,lora", "rank": "4..64 log"},
        "objective": {"whole_words": "true,false"},
    }
    assert read_space(over) == (
        Dimension("train.rate", 1e-4, 1e-1, log=True),
        Dimension("train.batch", choices=(8, 16, 32)),
        Dimension("train.decay", 0.0, 1.0),
        Dimension("train.warmup", 0.0, 0.2),
        Dimension("tuning", choices=("head", "lora")),
        Dimension("tuning.rank", 4, 64, log=True, whole=True),
        Dimension("objective.whole_words", choices=(True, False)),
    )
    assert read_space({"train": {"batch": [8, 16]}}) == (Dimension("train.batch", choices=(8, 16)),)
    assert read_space({"train": {"decay": "0..1 int"}})[0].whole


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("8", "nothing to choose from"),
        (8, "nothing to choose from"),
        ("8,8", "nothing to choose from"),
        ("", "nothing to choose from"),
        ("a..b", "cannot be 'a..b'"),
        ("1..1", "goes from 1 to 1"),
        ("2..1", "goes from 2 to 1"),
        ("0..1.0 log", "cannot be logarithmic from 0 on"),
        ("0.5..8 int", "no whole number"),
        ("1..8 lgo", "does not know 'lgo'"),
        ("nan..inf", "cannot be"),
        ([[1], [2]], "numbers and texts"),
    ],
)
def test_what_means_nothing_is_said(value: object, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_space({"train": {"rate": value}})


@pytest.mark.parametrize("name", ["seed", "steps", "epochs", "every", "patience"])
def test_nothing_is_swept_that_makes_trials_incomparable(name: str) -> None:
    with pytest.raises(UserError, match=f"train.{name} is not swept over"):
        read_space({"train": {name: "1,2"}})


def test_a_grid_has_both_ends_and_even_steps() -> None:
    assert Dimension("train.rate", 1e-4, 1e-1, log=True).grid(4) == (1e-4, 1e-3, 1e-2, 1e-1)
    assert Dimension("train.decay", 0.0, 1.0).grid(3) == (0.0, 0.5, 1.0)
    assert Dimension("train.batch", 1, 3, whole=True).grid(9) == (1, 2, 3)
    space = (Dimension("a", choices=(1, 2)), Dimension("b", choices=("x", "y")))
    assert placed(space, 4) == [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"}]


@given(st.floats(1e-6, 1.0), st.floats(1.1, 1e4), st.booleans())
def test_a_grid_stays_in_its_range(low: float, factor: float, log: bool) -> None:
    found = Dimension("train.rate", low, low * factor, log).grid(5)
    assert all(low * 0.995 <= value <= low * factor * 1.005 for value in map(float, found))


def test_values_are_shown_as_a_command_takes_them() -> None:
    assert [shown(one) for one in (True, 0.001, 8, "lora")] == ["true", "0.001", "8", "lora"]
    assert Dimension("train.rate", 1e-4, 1e-1, log=True).exact(0.00123456) == 0.00123
