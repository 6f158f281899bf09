"""Better is only what the interval proves, and what could have been seen stands beside it."""

import math

import numpy as np
import pytest

from dragoman.core.errors import UserError
from dragoman.evals.compare import after_holm, compare, detectable_difference, difference, holm, mcnemar
from dragoman.metrics.accuracy import Accuracy
from dragoman.metrics.ece import Ece
from dragoman.metrics.log_loss import LogLoss
from dragoman.metrics.macro_f1 import MacroF1
from tests.evals.rows import macro_rows, report

stats = pytest.importorskip("scipy.stats")

# rows: half-width at 80 % right, unpaired, paired with 10 % and with 20 % disagreement, in points
TABLE = {
    100: (7.8, 15.9, 8.9, 12.5),
    200: (5.5, 11.2, 6.3, 8.9),
    500: (3.5, 7.1, 4.0, 5.6),
    1000: (2.5, 5.0, 2.8, 4.0),
    1319: (2.2, 4.4, 2.4, 3.5),
    5000: (1.1, 2.2, 1.3, 1.8),
    14042: (0.7, 1.3, 0.75, 1.1),
}


def outcomes(both: int, only_a: int, only_b: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    a = np.repeat([1.0, 1.0, 0.0, 0.0], [both, only_a, only_b, neither])[:, None]
    b = np.repeat([1.0, 0.0, 1.0, 0.0], [both, only_a, only_b, neither])[:, None]
    return a, b


@pytest.mark.parametrize("rows", TABLE)
def test_the_table_of_detectable_differences(rows: int) -> None:
    half, unpaired, tenth, fifth = TABLE[rows]
    assert 100 * 1.96 * math.sqrt(0.16 / rows) == pytest.approx(half, abs=0.06)
    assert 100 * detectable_difference(math.sqrt(2 * 0.16), rows) == pytest.approx(unpaired, abs=0.07)
    assert 100 * detectable_difference(math.sqrt(0.1), rows) == pytest.approx(tenth, abs=0.06)
    assert 100 * detectable_difference(math.sqrt(0.2), rows) == pytest.approx(fifth, abs=0.06)


@pytest.mark.slow
def test_power_is_four_in_five_at_the_detectable_difference_and_few_alarms_are_false() -> None:
    random = np.random.default_rng(0)
    rows, disagree = 500, 0.1
    gap = detectable_difference(math.sqrt(disagree), rows)
    for true, low, high in ((gap, 0.77, 0.85), (0.0, 0.03, 0.065)):
        shares = [(disagree - true) / 2, (disagree + true) / 2, 0.75]
        seen = 0
        for draw in range(800):
            only_a, only_b, both, neither = random.multinomial(rows, [*shares, 1 - sum(shares)])
            found = difference(Accuracy(), *outcomes(both, only_a, only_b, neither), resamples=200, seed=draw)
            seen += found.better == "b" if true else found.better != "tie"
        assert low <= seen / 800 <= high


def test_the_detectable_difference_of_a_comparison() -> None:
    found = difference(Accuracy(), *outcomes(350, 25, 25, 100))
    assert found.detectable == pytest.approx(detectable_difference(math.sqrt(0.1), 500), rel=0.05)
    assert found.disagreement == 0.1
    assert found.better == "tie"
    assert "500 rows can show a difference of 0.0" in found.sentence
    assert "no difference is proven" in found.sentence


def test_mcnemar_is_scipys() -> None:
    for a, b in ((0, 0), (1, 0), (3, 9), (20, 40), (200, 260), (7, 7)):
        exact, middle = mcnemar(a, b)
        if a + b:
            assert exact == pytest.approx(stats.binomtest(a, a + b).pvalue, abs=1e-9)
            assert middle == pytest.approx(
                min(1, exact - stats.binom.pmf(min(a, b), a + b, 0.5)), abs=0.5 if a == b else 1e-9
            )
        assert middle <= exact
    assert mcnemar(0, 0) == (1.0, 1.0)


def test_few_differing_rows_prove_nothing() -> None:
    for only_b in (1, 2, 3, 4):
        found = difference(Accuracy(), *outcomes(90, 0, only_b, 10))
        assert found.better == "tie"
        assert found.difference.low <= 0 <= found.difference.high
    assert difference(Accuracy(), *outcomes(0, 0, 3, 0)).better == "tie"  # 3 of 3 against 0 of 3
    clear = difference(Accuracy(), *outcomes(60, 2, 20, 18))
    assert clear.better == "b"
    assert clear.exact is not None
    assert clear.exact < 0.001
    assert clear.difference.low > 0


def test_nothing_differs() -> None:
    a, _ = outcomes(80, 0, 0, 20)
    found = difference(Accuracy(), a, a)
    assert (found.better, found.p, found.disagreement) == ("tie", 1.0, 0.0)
    assert found.difference.low < 0 < found.difference.high
    assert found.detectable > 0
    rows = macro_rows(np.arange(30) % 3, np.arange(30) % 3, 3)
    assert difference(MacroF1(("a", "b", "c")), rows, rows).better == "tie"


def test_macro_f1_and_false_alarms() -> None:
    random = np.random.default_rng(1)
    metric = MacroF1(("a", "b", "c"))
    alarms = 0
    for draw in range(200):
        true = random.integers(0, 3, 150)
        a, b = (np.where(random.random(150) < 0.8, true, random.integers(0, 3, 150)) for _ in range(2))
        found = difference(metric, macro_rows(true, a, 3), macro_rows(true, b, 3), resamples=200, seed=draw)
        alarms += found.better != "tie"
        assert found.test == "randomisation"
        assert found.exact is None
    assert alarms <= 20
    true = random.integers(0, 3, 300)
    worse = np.where(random.random(300) < 0.7, true, (true + 1) % 3)
    found = difference(metric, macro_rows(true, worse, 3), macro_rows(true, true, 3))
    assert found.better == "b"
    assert difference(metric, macro_rows(true, true, 3), macro_rows(true, worse, 3)).better == "a"


def test_lower_is_better_for_a_loss() -> None:
    random = np.random.default_rng(2)
    loss = random.gamma(2, 0.2, (200, 1))
    assert difference(LogLoss(("a",)), loss, loss * 0.5).better == "b"
    confidence = random.random(400)
    good = np.stack([confidence, (random.random(400) < confidence).astype(float)], axis=1)
    bad = np.stack([np.minimum(confidence + 0.3, 1), good[:, 1]], axis=1)
    assert difference(Ece(("a", "b")), good, bad, resamples=200).better == "a"


def test_rows_that_hang_together_count_once() -> None:
    a, b = outcomes(60, 0, 8, 12)
    assert difference(Accuracy(), a, b).better == "b"
    groups = ["one" if gain else str(number) for number, gain in enumerate((b - a)[:, 0])]
    grouped = difference(Accuracy(), a, b, groups)
    assert grouped.better == "tie"
    assert grouped.test == "randomisation"


def test_reports_are_compared_on_the_same_rows() -> None:
    good, bad = report("aa bb cc " * 20), report("ab bb cc " * 20)
    found = compare(bad, good, "accuracy")
    assert (found.better, found.metric) == ("b", "accuracy")
    assert found.a == pytest.approx(2 / 3)
    assert found.b == 1.0
    assert found.difference.value == pytest.approx(1 / 3)
    assert compare(bad, good, "macro_f1").better == "b"
    with pytest.raises(UserError, match="no metric named 'acuracy'") as caught:
        compare(bad, good, "acuracy")
    assert "did you mean 'accuracy'" in caught.value.hint
    with pytest.raises(UserError, match="same rows"):
        compare(bad, report("aa bb"), "accuracy")


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    weak = difference(Accuracy(), *outcomes(80, 2, 10, 8))
    assert weak.better == "b"
    assert weak.p > 0.01
    several = after_holm([weak] * 5)
    assert {one.better for one in several} == {"tie"}
    assert several[0].test == "McNemar, mid-p, Holm"
    assert after_holm([weak])[0].better == "b"
