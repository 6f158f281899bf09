"""Axes hold their figures and name round ones."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as some

from dragoman.report.scale import Scale, count_ticks, linear_ticks, stretch, time_ticks


def test_places() -> None:
    assert Scale(0, 10, 100, 200).place(5) == 150
    assert Scale(1, 100, 0, 10, log=True).place(10) == pytest.approx(5)
    assert Scale(0, 1, 0, 10).place(7) == 10  # a figure outside stands on the edge
    assert Scale(3, 3, 0, 10).place(3) == 5


@settings(derandomize=True, deadline=None)
@given(some.floats(-1e6, 1e6), some.floats(1e-6, 1e6))
def test_ticks_lie_inside_and_are_few(low: float, span: float) -> None:
    assume(span > abs(low) * 1e-6)
    ticks = linear_ticks(low, low + span)
    assert 1 <= len(ticks) <= 6
    slack = 1e-6 * span + 1e-9 * abs(low)
    assert all(low - slack <= tick <= low + span + slack for tick in ticks)


def test_round_figures() -> None:
    assert linear_ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert linear_ticks(0.38, 0.72) == [0.4, 0.5, 0.6, 0.7]
    assert time_ticks(2, 700) == [10, 60, 600]
    assert count_ticks(200, 20_000) == [200, 500, 1000, 2000, 5000, 10_000, 20_000]
    assert len(count_ticks(1, 1e9)) <= 7 or count_ticks(1, 1e9) == [1, 1e9]


def test_a_range_holds_its_values_and_its_limits() -> None:
    low, high = stretch([0.4, 0.6], 0.1, 0.1, None)
    assert (low, high) == (pytest.approx(0.38), pytest.approx(0.62))
    assert stretch([0.99, 1.0], 0.5, 0.1, (0.0, 1.0))[1] == 1.0
    low, high = stretch([5.0], 0.1, 0.0, None)
    assert high > low
