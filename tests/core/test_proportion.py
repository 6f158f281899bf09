"""Wilson's interval against figures that were published."""

import pytest

from dragoman.core.proportion import Z, wilson


def test_published_figures() -> None:
    # Newcombe (1998, Statistics in Medicine 17, table I): 81 of 263, and 0 of 20.
    assert pytest.approx((0.2553, 0.3662), abs=5e-5) == wilson(81 / 263, 263)
    assert pytest.approx((0.0, 0.1611), abs=5e-5) == wilson(0.0, 20)
    assert pytest.approx(1.95996, abs=1e-5) == Z


def test_no_trial_says_nothing() -> None:
    assert wilson(0.5, 0) == (0.0, 1.0)
