"""A record is read with care: nothing that is not a figure becomes one."""

import pytest

from dragoman.report.record import Figure, count, figure, hollow, number, rows, table, threshold, words


@pytest.mark.parametrize("value", [None, True, "1", float("nan"), float("inf"), 10**400, 1e300, [], {}])
def test_what_is_no_figure_is_none(value: object) -> None:
    assert number(value) is None
    assert count(value) is None
    assert figure(value) is None


def test_figures() -> None:
    assert number(3) == 3.0
    assert count(2.6) == 3
    assert figure(0.5) == Figure(0.5)
    assert figure({"value": 0.5, "low": 0.4, "high": 0.6, "n": 9}) == Figure(0.5, 0.4, 0.6, 9)
    assert figure({"value": 0.5, "low": float("nan"), "high": 0.6}) == Figure(0.5, None, 0.6)
    assert figure({"low": 0.4, "high": 0.6}) is None


def test_no_interval_is_claimed_where_none_was_measured() -> None:
    assert not Figure(0.5).wide
    assert not Figure(0.5, 0.5, 0.5).wide
    assert Figure(0.5).ends == (0.5, 0.5)
    assert Figure(0.5, 0.4, None).ends == (0.5, 0.5)
    assert Figure(0.5, 0.4, 0.6).wide


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (">= 0.60", (">=", 0.6)),
        ("<=50", ("<=", 50.0)),
        ("> 1e-3", (">", 0.001)),
        ("< 120 MB", ("<", 120.0)),
        ("about 3", None),
        (">= much", None),
        (">=", None),
        (">= nan", None),
        (None, None),
    ],
)
def test_thresholds(asked: object, expected: object) -> None:
    assert threshold(asked) == expected


def test_words() -> None:
    assert words(None) == words(float("nan")) == ""
    assert words(False) == "no"
    assert words({"rank": 8, "none": None, "on": True}) == "rank = 8, on = yes"
    assert words(["a", None, 2]) == "a, 2"
    assert words("a\x07b") == "a[U+0007]b"


def test_mappings_and_lists() -> None:
    assert table([1]) == {}
    assert rows("abc") == []
    assert rows([{"a": 1}, 2, None]) == [{"a": 1}]


def test_hollow() -> None:
    assert all(hollow(value) for value in (None, "", "  ", [], {}, [None], {"a": [{}]}, float("nan")))
    assert not any(hollow(value) for value in (0, False, "a", [0], {"a": 0}))
