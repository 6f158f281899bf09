"""The learning-rate range test: the course of the rate, the end, the suggestion."""

import itertools
from dataclasses import replace

import pytest

from dragoman.core.errors import UserError
from dragoman.train.loop import begin
from dragoman.train.range_test import range_how, range_test, suggest
from dragoman.train.trial import HOW, Numbers, corpus, fresh, one_thread, trial

CLM = trial("clm, adamw, fp32")


def found(low: float, high: float, steps: int):  # type: ignore[no-untyped-def]
    """A test of a tiny language model."""
    how = range_how(replace(HOW, seed=0, **CLM.changes), steps)
    with one_thread():
        return range_test(begin(fresh(CLM), Numbers(), CLM.objective, CLM.tuning, corpus(), how), low, high)


def test_the_rate_rises_by_the_same_factor_at_each_step() -> None:
    points = found(1e-5, 1e-3, 21).points
    rates = [rate for rate, _ in points]
    assert rates[0] == pytest.approx(1e-5)
    assert rates[-1] == pytest.approx(1e-3)
    assert all(after / before == pytest.approx(100 ** (1 / 20)) for before, after in itertools.pairwise(rates))


def test_it_ends_where_the_loss_leaves_all_bounds_and_suggests_a_rate_well_below() -> None:
    one = found(1e-5, 1e3, 120)
    assert len(one.points) < 120
    assert 1e-4 < one.chosen < one.points[-1][0] / 3


def test_it_is_the_same_every_time() -> None:
    assert found(1e-4, 1e-1, 40) == found(1e-4, 1e-1, 40)


def test_it_lies_half_way_between_the_fastest_fall_and_the_lowest_loss() -> None:
    def loss(place: int) -> float:
        return 4.0 - 2.0 / (1 + 2.718281828 ** (-(place - 50) / 5)) + max(0.0, (place - 80) / 5)

    points = [(1e-5 * 1.1**place, loss(place)) for place in range(100)]
    assert 1.1**60 < suggest(points) / 1e-5 < 1.1**68  # it falls fastest at 50 and is lowest near 80


def test_where_it_never_falls_nothing_is_suggested() -> None:
    with pytest.raises(UserError, match="did not fall"):
        suggest([(1e-3 * 1.1**place, 1.0 + place) for place in range(50)])
    with pytest.raises(UserError, match="did not fall"):
        suggest([])
