"""Agreement against the worked examples of Krippendorff (2011), and against what follows by hand."""

import random

import pytest

from dragoman.evals.agreement import agreement, alpha, same_share

NONE = None
# "Computing Krippendorff's Alpha-Reliability", section C: four observers, twelve units, gaps.
OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3),
    (NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE),
)
UNITS = list(zip(*OBSERVERS, strict=True))
# The same, section A: two observers, ten articles, 0 and 1.
BINARY = list(zip((0, 1, 0, 0, 0, 0, 0, 0, 1, 0), (1, 1, 1, 0, 0, 1, 0, 0, 0, 0), strict=True))
# Section B: two observers, twelve units, the letters a to e.
NAMED = [("abcde".index(one), "abcde".index(other)) for one, other in zip("aabbdcccedda", "babbbccceddd", strict=True)]


@pytest.mark.parametrize(("level", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)], ids=str)
def test_four_observers_as_published(level: str, published: float) -> None:
    found = alpha(UNITS, level)  # type: ignore[arg-type]
    assert found == pytest.approx(published, abs=6e-4)


def test_two_observers_as_published() -> None:
    assert alpha(BINARY) == pytest.approx(0.095, abs=6e-4)
    assert alpha(NAMED) == pytest.approx(0.692, abs=6e-4)


def test_by_hand() -> None:
    # Values 0 0 | 0 1: coincidences 00:2, 01:1, 10:1; n = 4, n0 = 3, n1 = 1: 1 - 3 * 2 / (2 * 3) = 0.
    assert alpha([(0, 0), (0, 1)]) == pytest.approx(0.0)
    # 0 0 | 1 1: nothing apart. 0 1 | 1 0: 1 - 3 * 4 / 8 = -0.5.
    assert alpha([(0, 0), (1, 1)]) == 1.0
    assert alpha([(0, 1), (1, 0)]) == pytest.approx(-0.5)


@pytest.mark.parametrize("units", [[], [(1, NONE), (NONE, 2)], [(1, 1), (1, 1, 1)], [()]], ids=str)
def test_undefined_is_none(units: list[tuple[float | None, ...]]) -> None:
    assert alpha(units) is None
    assert agreement([units]) is None


def test_the_share_that_says_the_same() -> None:
    assert same_share(BINARY) == pytest.approx(0.6)
    assert same_share([(1, NONE)]) is None


def test_names_and_order_of_raters_do_not_matter_and_a_gap_is_no_value() -> None:
    mixed = random.Random(0)
    turned = [mixed.sample(unit, len(unit)) for unit in UNITS]
    without = [[one for one in unit if one is not None] for unit in UNITS]
    assert alpha(turned) == pytest.approx(alpha(UNITS) or 0)
    assert alpha(without, "ordinal") == pytest.approx(alpha(UNITS, "ordinal") or 0)


def test_the_interval_holds_the_truth() -> None:
    """Two raters who toss a coin: alpha is 0, and its interval leaves 0 out in about one case of twenty."""
    coin = random.Random(1)
    held = 0
    for _ in range(60):
        groups = [[(coin.randint(0, 1), coin.randint(0, 1))] for _ in range(80)]
        found = agreement(groups, resamples=300)
        assert found is not None
        assert found.low <= found.value <= found.high
        held += found.low <= 0 <= found.high
    assert held >= 52


def test_pairs_of_one_item_are_drawn_together() -> None:
    apart = [[unit] for unit in UNITS[:9]] * 3
    together = [[unit] * 3 for unit in UNITS[:9]]
    one, other = agreement(apart), agreement(together)
    assert one is not None
    assert other is not None
    assert one.value == pytest.approx(other.value)
    assert other.high - other.low > 1.2 * (one.high - one.low)


def test_one_item_bounds_nothing() -> None:
    found = agreement([[(1, 1), (2, 2)]])
    assert found is not None
    assert (found.value, found.low, found.high, found.n) == (1.0, -1.0, 1.0, 1)
