"""Where the rungs are and who goes on: by hand, and against successive halving where nobody is late."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.errors import UserError
from dragoman.stages.asha import promoted, rungs_of, units_of

FIGURES = st.lists(st.floats(-100, 100), min_size=1, max_size=40, unique=True)


@pytest.mark.parametrize(
    ("eta", "least", "units"), [(3, 0.1, 9), (3, 1 / 9, 9), (3, 0.12, 3), (4, 0.06, 16), (2, 0.5, 2), (3, 1.0, 1)]
)
def test_the_unit_is_the_smallest_that_is_allowed(eta: int, least: float, units: int) -> None:
    assert units_of(eta, least) == units
    assert 1 / units >= least - 1e-9 > 1 / (units * eta) - 1e-9


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(UserError, match="eta cannot be 1"):
        units_of(1, 0.1)
    for least in (0.0, -1.0, 1.5):
        with pytest.raises(UserError, match="least cannot be"):
            units_of(3, least)


def test_the_end_is_the_last_rung() -> None:
    assert rungs_of(9, 3) == (1, 3, 9)
    assert rungs_of(16, 4) == (1, 4, 16)
    assert rungs_of(1, 3) == (1,)


def test_nobody_goes_on_before_enough_are_there() -> None:
    assert promoted({0: 2.0, 1: 1.0}, (), 3, higher=False) is None
    assert promoted({0: 2.0, 1: 1.0, 2: 3.0}, (), 3, higher=False) == 1
    assert promoted({0: 2.0, 1: 1.0, 2: 3.0}, (), 3, higher=True) == 2
    assert promoted({0: 2.0, 1: 1.0, 2: 3.0}, (1,), 3, higher=False) is None
    assert promoted({0: 2.0, 1: 1.0}, (), 3, higher=False, least=1) == 1


def test_one_that_failed_was_there_and_never_goes_on() -> None:
    assert promoted({0: math.inf, 1: math.nan, 2: 5.0}, (), 3, higher=False) == 2
    assert promoted({0: -math.inf, 1: math.nan, 2: math.inf}, (), 3, higher=True) is None


@given(FIGURES, st.integers(2, 5), st.booleans())
def test_when_all_are_there_it_is_successive_halving(figures: list[float], eta: int, higher: bool) -> None:
    values, gone = dict(enumerate(figures)), set[int]()
    while (number := promoted(values, gone, eta, higher)) is not None:
        gone.add(number)
    best = sorted(values, key=lambda number: values[number], reverse=higher)
    assert gone == set(best[: len(figures) // eta])


@given(FIGURES, st.integers(2, 4))
def test_coming_one_by_one_the_best_are_among_those_that_went(figures: list[float], eta: int) -> None:
    gone, values = set[int](), dict[int, float]()
    for number, figure in enumerate(figures):
        values[number] = figure
        while (one := promoted(values, gone, eta, higher=False)) is not None:
            gone.add(one)
    best = sorted(values, key=lambda number: values[number])
    assert gone >= set(best[: len(figures) // eta])
