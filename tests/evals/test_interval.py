"""Intervals hold the truth as often as they say, and claim nothing where there is nothing to see."""

import math

import numpy as np
import pytest

from dragoman.core.types import Answer
from dragoman.evals.interval import at_quantile, estimate, estimates, student, wilson
from dragoman.metrics.accuracy import Accuracy
from dragoman.metrics.ece import Ece
from dragoman.metrics.log_loss import LogLoss
from dragoman.metrics.macro_f1 import MacroF1
from dragoman.metrics.mcc import Mcc
from tests.evals.rows import macro_rows, mixture

stats = pytest.importorskip("scipy.stats")


def right(count: int, rows: int) -> np.ndarray:
    return (np.arange(rows) < count).astype(float)[:, None]


def test_wilson_is_scipys() -> None:
    for hits, n in ((0, 5), (3, 10), (50, 100), (999, 1000), (7, 7)):
        theirs = stats.binomtest(hits, n).proportion_ci(method="wilson")
        assert wilson(hits / n, n) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert wilson(0.5, 0) == (0.0, 1.0)


def test_student_is_scipys() -> None:
    for freedom in (1, 2, 3, 4, 10, 100):
        assert student(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=0.01)
    assert math.isinf(student(0))


def test_accuracy_of_single_rows_is_wilsons_interval() -> None:
    found = estimate(Accuracy(), right(83, 100))
    assert (found.low, found.high) == pytest.approx(wilson(0.83, 100))
    assert (found.value, found.n) == (0.83, 100)


@pytest.mark.parametrize("hits", [0, 6])
def test_all_right_or_all_wrong_is_no_certainty(hits: int) -> None:
    found = estimate(Accuracy(), right(hits, 6))
    assert found.high - found.low == pytest.approx(1.96**2 / (6 + 1.96**2), abs=1e-3)
    places = np.array([0, 1, 2, 0, 1, 2])
    guess = places if hits else (places + 1) % 3
    macro = estimate(MacroF1(("a", "b", "c")), macro_rows(places, guess, 3))
    assert (macro.low, macro.high) == pytest.approx((found.low, found.high))
    metric = Mcc(("a", "b"))
    rows = np.stack([metric.measure(Answer("ab"[i]), ("ab"[i],)) for i in (0, 1, 0, 1)])
    assert estimate(metric, rows).low < 0.1


def test_one_row() -> None:
    assert estimate(Accuracy(), right(1, 1)).low < 0.21
    alone = estimate(LogLoss(("a",)), np.array([[0.3]]))
    assert (alone.value, alone.low, alone.high) == (0.3, -math.inf, math.inf)
    assert math.isinf(estimate(Ece(("a", "b")), np.array([[0.9, 1.0]])).high)


@pytest.mark.slow
def test_coverage_of_accuracy_and_macro_f1() -> None:
    cases = [
        ([0.5, 0.3, 0.2], [0.9, 0.8, 0.7], 200),
        ([0.3, 0.25, 0.2, 0.14, 0.1, 0.01], [0.97] * 6, 500),
        ([0.5, 0.5], [0.98, 0.98], 100),
    ]
    for prior, share, rows in cases:
        size = len(prior)
        table = mixture(prior, share).ravel()
        metrics = {"macro_f1": MacroF1(tuple(map(str, range(size)))), "accuracy": Accuracy()}
        true, guess = np.divmod(np.arange(size * size), size)
        weighted = table[:, None] * macro_rows(true, guess, size)
        truth = {
            "macro_f1": float(metrics["macro_f1"].of_sums(weighted.sum(axis=0)[None], np.ones(1))[0]),
            "accuracy": float(table[true == guess].sum()),
        }
        random = np.random.default_rng(0)
        held = {"macro_f1": 0, "accuracy": 0}
        for draw in range(1000):
            true, guess = np.divmod(random.choice(size * size, rows, p=table), size)
            measured = {"macro_f1": macro_rows(true, guess, size), "accuracy": (true == guess)[:, None].astype(float)}
            found = estimates(metrics, measured, resamples=300, seed=draw)
            for name, interval in found.items():
                held[name] += interval.low <= truth[name] <= interval.high
        for name, count in held.items():
            assert 930 <= count <= 970, (name, prior, count)


def test_coverage_when_rows_hang_together() -> None:
    random = np.random.default_rng(1)
    held, naive = 0, 0
    for draw in range(400):
        rows = np.repeat(random.random(60) < 0.8, 5).astype(float)[:, None]
        groups = [str(number // 5) for number in range(300)]
        found = estimate(Accuracy(), rows, groups, resamples=300, seed=draw)
        held += found.low <= 0.8 <= found.high
        blind = estimate(Accuracy(), rows, resamples=10)
        naive += blind.low <= 0.8 <= blind.high
    assert 0.92 <= held / 400 <= 0.98
    assert naive / 400 < 0.75  # as if 300 rows had been seen where there were 60


def test_coverage_of_log_loss() -> None:
    random = np.random.default_rng(2)
    held = 0
    for draw in range(300):
        rows = -np.log(random.beta(4, 1, 300))[:, None]  # the mean is exactly 1/4
        found = estimate(LogLoss(("a",)), rows, resamples=400, seed=draw)
        held += found.low <= 0.25 <= found.high
    assert 0.91 <= held / 300 <= 0.98


def test_coverage_of_calibration_error() -> None:
    random = np.random.default_rng(3)
    for shift in (0.0, 0.15):
        wide = random.beta(6, 1.5, 200_000)
        truth = float((wide - np.clip(wide - shift, 0, 1)).mean())
        held = 0
        for draw in range(100):
            confidence = random.beta(6, 1.5, 300)
            outcome = random.random(300) < np.clip(confidence - shift, 0, 1)
            rows = np.stack([confidence, outcome.astype(float)], axis=1)
            found = estimate(Ece(("a", "b")), rows, resamples=200, seed=draw)
            held += found.low <= truth <= found.high
        assert held >= 90


def test_the_seed_decides() -> None:
    random = np.random.default_rng(4)
    rows = macro_rows(random.integers(0, 3, 80), random.integers(0, 3, 80), 3)
    metric = MacroF1(("a", "b", "c"))
    assert estimate(metric, rows, seed=1) == estimate(metric, rows, seed=1)
    assert estimate(metric, rows, seed=1) != estimate(metric, rows, seed=2)
    assert estimates({}, {}) == {}


def test_quantiles_of_latencies() -> None:
    random = np.random.default_rng(5)
    held = {0.5: 0, 0.95: 0}
    for _ in range(500):
        values = random.lognormal(1.0, 0.5, 100)
        for share in held:
            found = at_quantile(values, share)
            truth = math.exp(1.0 + 0.5 * stats.norm.ppf(share))
            held[share] += found.low <= truth <= found.high
    assert all(count >= 465 for count in held.values())


def test_few_latencies_still_have_an_upper_bound() -> None:
    values = [10.0, 11.0, 12.0, 10.5, 11.5, 10.2, 10.8, 11.1, 10.4, 12.2]
    found = at_quantile(values, 0.95)
    assert found.high > max(values)
    assert 0 <= found.low <= found.value <= found.high
    assert math.isinf(at_quantile([10.0], 0.95).high)
    assert at_quantile([5.0] * 100, 0.95).high == pytest.approx(5.0)
    with pytest.raises(ValueError, match="nothing"):
        at_quantile([], 0.5)
    many = at_quantile(list(range(1, 101)), 0.95)
    chance = stats.binom.cdf(np.arange(101), 100, 0.95)
    assert many.high == np.searchsorted(chance, 0.975) + 1
    assert many.low == np.searchsorted(chance, 0.025, side="right")
