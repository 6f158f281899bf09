"""Fewer points and a running mean, neither of which moves what they show."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from dragoman.report.smooth import running_mean, thin


def test_few_points_stay_and_many_become_means_of_neighbours() -> None:
    points = [(float(x), float(x * x)) for x in range(10)]
    assert thin(points, 10) == points
    assert thin(points, 5)[:2] == [(0.5, 0.5), (2.5, 6.5)]
    assert len(thin(points, 4)) == 4
    assert thin([]) == []


@settings(derandomize=True, deadline=None)
@given(some.integers(0, 3000), some.integers(1, 600))
def test_never_more_points_than_asked_for(count: int, most: int) -> None:
    thinned = thin([(float(x), 1.0) for x in range(count)], most)
    assert len(thinned) <= most
    assert all(y == 1.0 for _, y in thinned)


def test_a_straight_line_stays_where_it_is() -> None:
    """A mean of the past alone would lag behind, and one cut off at the ends would bend there."""
    line = [3.0 * place for place in range(20)]
    assert running_mean(line, 5) == pytest.approx(line)
    assert running_mean(line, 0) == line
    assert running_mean([], 3) == []


def test_noise_becomes_less() -> None:
    noisy = [1.0 if place % 2 else -1.0 for place in range(101)]
    assert max(abs(value) for value in running_mean(noisy, 10)[10:-10]) < 0.1
