"""What a journal says: by the hour, against the time before, with intervals that hold what they promise."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import fisher_exact

from dragoman.serve.journal_read import Figures, figures
from dragoman.serve.watched import Course, follow, measures, merged, more_often, quantile_interval
from tests.serve.planted import HOUR, NOW, plant


def test_the_parts_are_the_whole(tmp_path: Path) -> None:
    path = plant(tmp_path / "j.sqlite", wrong="errors")
    course = follow(path, NOW, 24, 168)
    whole = figures(path, since=NOW - 24 * HOUR, until=NOW)[""]
    assert replace(course.now, writing=0) == replace(whole, writing=0)
    assert course.now.writing == pytest.approx(whole.writing)
    assert course.now.requests == sum(slot.figures.requests for slot in course.slots) == 60
    assert len(course.slots) == 24 and course.slots[0].start == NOW - 24 * HOUR and course.slots[-1].end == NOW
    assert course.before.requests == 180 and merged([]) == Figures()
    by = {one.name: one for one in measures(course)}
    assert by["requests"].now == 60 and by["requests"].before == pytest.approx(180 / 7)
    assert by["errors"].now == 0.2 and by["errors"].before == 0 and by["errors"].low == pytest.approx(0.1183, abs=1e-4)
    well = 48
    assert by["tokens a second"].now == pytest.approx(course.now.written / course.now.writing)
    assert by["p50"].n == well and 0.1 <= (by["p50"].low or 0) <= (by["p50"].now or 0) <= (by["p50"].high or 0) <= 0.3
    assert by["thumbs down"].n == 30 and by["refused"].p is not None


def test_nothing_is_said_of_nothing(tmp_path: Path) -> None:
    empty = Figures()
    by = {one.name: one for one in measures(Course((), empty, empty, 1, 1))}
    assert by["requests"].now == 0 and all(by[name].now is None for name in ("errors", "p95", "refused"))


@pytest.mark.parametrize("table", [(3, 20, 1, 40), (0, 9, 4, 9), (9, 9, 0, 9), (50, 1000, 20, 1000), (2, 2, 90, 100)])
def test_the_exact_test_is_scipys(table: tuple[int, int, int, int]) -> None:
    hits, trials, hits_before, trials_before = table
    rows = [[hits, trials - hits], [hits_before, trials_before - hits_before]]
    expected = fisher_exact(rows, alternative="greater").pvalue
    assert more_often((hits, trials), (hits_before, trials_before)) == pytest.approx(expected, rel=1e-9)
    assert math.isclose(more_often((0, 5), (0, 5)), 1.0)


def test_the_exact_test_where_the_first_term_is_below_every_double() -> None:
    assert more_often((100, 10_000), (5_000, 10_000)) == pytest.approx(1.0)
    assert 0 < more_often((5_050, 10_000), (5_000, 10_000)) < 0.5


def test_intervals_of_quantiles_hold_them() -> None:
    random = np.random.default_rng(5)
    held = 0
    for _ in range(400):
        low, high = quantile_interval(sorted(random.exponential(size=150).tolist()), 0.95)
        assert low is not None and high is not None
        held += low <= -math.log(0.05) <= high
    assert held / 400 > 0.93  # 0.95 is promised; three standard errors are 0.033
    # Of 100 values 40 to 60 lie below the median with a probability of 0.965: the 40th and the 61st are the ends.
    assert quantile_interval([float(rank) for rank in range(1, 101)], 0.5) == (40.0, 61.0)
    assert quantile_interval([], 0.5) == (None, None) and quantile_interval([2.0], 0.95) == (2.0, 2.0)
