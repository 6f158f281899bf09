"""Rows are drawn with replacement, groups as a whole, and sums give what rows give."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from dragoman.core.doors import Row
from dragoman.core.types import Answer
from dragoman.evals.resample import Units, draws, figures, resampled
from dragoman.metrics.macro_f1 import MacroF1
from tests.evals.rows import macro_rows


@dataclass(frozen=True)
class Slow:
    """Macro F1 that hides that it can be summed."""

    inner: MacroF1
    higher_is_better: ClassVar[bool] = True

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        return self.inner.measure(answer, references)

    def combine(self, rows: Row) -> float:
        return self.inner.combine(rows)


def test_every_draw_has_as_many_units() -> None:
    counts = np.concatenate(list(draws(37, 500, seed=0)))
    assert counts.shape == (500, 37)
    assert (counts.sum(axis=1) == 37).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(37), abs=0.2)
    assert np.array_equal(counts, np.concatenate(list(draws(37, 500, seed=0))))


def test_blocks_stay_small() -> None:
    sizes = [len(block) for block in draws(1_000_000, 9, seed=0)]
    assert max(sizes) <= 4
    assert sum(sizes) == 9


def test_sums_give_what_rows_give() -> None:
    random = np.random.default_rng(0)
    rows = macro_rows(random.integers(0, 4, 60), random.integers(0, 4, 60), 4)
    metric = MacroF1(("a", "b", "c", "d"))
    for groups in ((), [str(number % 7) for number in range(60)]):
        units = Units.of(groups, 60)
        counts = next(draws(units.count, 50, seed=1))
        fast, slow = figures(metric, rows, counts, units), figures(Slow(metric), rows, counts, units)
        assert fast == pytest.approx(slow, abs=1e-12)
    assert figures(metric, rows, np.ones((1, 60)), Units.of((), 60))[0] == pytest.approx(metric.combine(rows))


def test_units() -> None:
    units = Units.of(["x", "", "x", "", "y"], 5)
    assert units.of_row.tolist() == [0, 1, 0, 2, 3]
    assert (units.count, units.grouped) == (4, True)
    assert units.sizes().tolist() == [2.0, 1.0, 1.0, 1.0]
    assert units.totals(np.arange(5.0)[:, None]).ravel().tolist() == [2.0, 1.0, 3.0, 4.0]
    assert not Units.of((), 3).grouped
    with pytest.raises(ValueError, match="3 rows but 1 groups"):
        Units.of(["x"], 3)


def test_all_metrics_see_the_same_draws() -> None:
    rows = macro_rows(np.array([0, 1, 0, 1]), np.array([0, 1, 1, 1]), 2)
    metric = MacroF1(("a", "b"))
    found = resampled({"one": metric, "two": metric}, {"one": rows, "two": rows}, Units.of((), 4), 100, 0)
    assert np.array_equal(found["one"], found["two"])
