"""The drawings in the cells show the interval beside what was asked."""

from xml.etree import ElementTree

import pytest

from dragoman.report.bars import Bound, Pair, interval, pair, reach, share
from dragoman.report.record import Figure

TOLD = ("title", "words")


def numbers(drawn: str, kind: str, name: str) -> list[float]:
    found = [one for one in ElementTree.fromstring(drawn).iter() if one.get("class", "").split()[:1] == [kind]]
    return [float(one.get(name, "")) for one in found]


@pytest.mark.parametrize(
    ("measured", "bound", "inside"),
    [
        (Figure(0.67, 0.64, 0.70), Bound(">=", 0.6), True),
        (Figure(0.62, 0.59, 0.65), Bound(">=", 0.6), False),
        (Figure(14.4, 13.9, 15.2), Bound("<=", 50), True),
        (Figure(0.04, 0.02, 0.06), Bound("<", 0.05), False),
    ],
)
def test_an_interval_lies_in_the_washed_side_where_it_is_proven(measured: Figure, bound: Bound, inside: bool) -> None:
    drawn = interval("a", TOLD, measured, reach(measured, bound), bound, "met")
    left = numbers(drawn, "zone", "x")[0]
    right = left + numbers(drawn, "zone", "width")[0]
    ends = numbers(drawn, "span", "x1") + numbers(drawn, "span", "x2")
    assert all(left <= end <= right for end in ends) is inside


def test_a_range_shows_the_figure_and_its_bound() -> None:
    for measured, bound in (
        (Figure(92.4), Bound("<=", 120)),
        (Figure(0.0), Bound(">=", 0.0)),
        (Figure(-3, -4, -2), None),
    ):
        low, high = reach(measured, bound)
        assert low <= min(measured.ends)
        assert max(measured.ends) <= high
        assert low < high
    assert reach(Figure(0.98, 0.97, 0.99), Bound(">=", 0.9))[1] == 1.0


def test_a_figure_without_an_interval_is_a_dot() -> None:
    drawn = interval("a", TOLD, Figure(3), (0, 5))
    assert "span" not in drawn
    assert drawn.count("<circle") == 1


def test_bars_are_as_long_as_their_share() -> None:
    assert numbers(share("a", TOLD, 0.25), "bar", "width") == [30]
    assert numbers(share("a", TOLD, 7.0), "bar", "width") == [120]
    drawn = pair("a", TOLD, Pair(100, 50))
    assert numbers(drawn, "bar", "width")[0] * 2 == numbers(drawn, "trough", "width")[0]
    assert "over" not in drawn
    assert "bar over" in pair("a", TOLD, Pair(50, 100))
    ElementTree.fromstring(pair("a", TOLD, Pair(0, 0)))
