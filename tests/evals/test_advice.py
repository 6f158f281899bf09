"""What would help when no rung meets the target."""

import math

import numpy as np
import pytest

from dragoman.core.targets import parse
from dragoman.core.types import Answer, Estimate
from dragoman.evals.advice import advise, learning_curve, suspected_noise
from dragoman.evals.details import confused_pairs
from dragoman.evals.prediction import Prediction
from tests.evals.rows import predictions


def point(rows: int, score: float, half: float = 0.01) -> tuple[int, Estimate]:
    return rows, Estimate(score, score - half, score + half, 1000)


def law(rows: int, floor: float = 0.1, scale: float = 2.0, rate: float = 0.4) -> float:
    return 1 - floor - scale * rows**-rate


def test_the_range_holds_the_truth() -> None:
    held = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        points = [point(rows, law(rows) + random.normal(0, 0.01 / 1.96)) for rows in (250, 500, 1000, 2000)]
        ahead = learning_curve(points, seed=seed).at(8000)
        held += ahead.low <= law(8000) <= ahead.high
    assert held >= 90


def test_far_ahead_is_less_sure() -> None:
    curve = learning_curve([point(rows, law(rows)) for rows in (250, 500, 1000, 2000)])
    near, far = curve.at(2500), curve.at(100_000)
    assert near.high - near.low < far.high - far.low
    assert abs(curve.at(1000).value - law(1000)) < 0.01
    low, middle, high = curve.rows_for(0.85)
    truth = (2.0 / 0.05) ** (1 / 0.4)
    assert low < truth < high
    assert low <= middle <= high


def test_a_flat_curve_promises_nothing() -> None:
    flat = learning_curve([point(rows, 0.7, 0.005) for rows in (500, 1000, 2000, 4000)])
    assert flat.at(8000).value < 0.72
    assert math.isinf(flat.rows_for(0.95)[1]) or flat.rows_for(0.95)[1] > 1e5
    falling = learning_curve([point(500, 0.8), point(1000, 0.75), point(2000, 0.7)])
    assert falling.at(4000).value < 0.8


def test_a_loss_falls() -> None:
    curve = learning_curve([point(rows, 2.0 * rows**-0.4) for rows in (100, 400, 1600)], higher_is_better=False)
    assert curve.at(6400).value < curve.at(1600).value
    assert curve.rows_for(0.05)[0] > 1600


def test_one_size_is_no_curve() -> None:
    with pytest.raises(ValueError, match="two sizes"):
        learning_curve([point(500, 0.7), point(500, 0.7)])


def noisy(share: float) -> tuple[list[Prediction], set[str]]:
    random = np.random.default_rng(0)
    labels = ("a", "b", "c")
    rows, wrong = [], set()
    for number in range(600):
        true = int(random.integers(0, 3))
        chances = random.dirichlet(np.where(np.arange(3) == true, 12.0, 1.0))
        given = true
        if random.random() < share:
            given = (true + 1) % 3
            wrong.add(str(number))
        answer = Answer(labels[chances.argmax()], (), dict(zip(labels, map(float, chances), strict=True)))
        rows.append(Prediction(str(number), f"text {number}", (labels[given],), answer))
    return rows, wrong


def test_planted_noise_is_found() -> None:
    rows, wrong = noisy(0.1)
    found = suspected_noise(rows, ("a", "b", "c"), count=40)
    assert len({doubt.id for doubt in found.doubts} & wrong) >= 36
    assert found.share.low - 0.03 <= len(wrong) / 600 <= found.share.high + 0.03
    assert found.doubts[0].given != found.doubts[0].suggested
    assert found.doubts[0].confidence > 0.8


def test_clean_labels_are_left_alone() -> None:
    rows, _ = noisy(0.0)
    assert suspected_noise(rows, ("a", "b", "c")).share.value < 0.02
    nothing = suspected_noise([Prediction("1", "", ("a",), Answer("a"))], ("a", "b"))
    assert (nothing.share.n, nothing.doubts) == (0, ())


def test_advice_in_sentences() -> None:
    rows, _ = noisy(0.1)
    criterion = parse("macro_f1", ">= 0.85")
    curve = learning_curve([point(rows, law(rows)) for rows in (250, 500, 1000, 2000)])
    said = advise(criterion, curve, suspected_noise(rows, ("a", "b", "c")), confused_pairs(predictions("ab ab aa")))
    assert "to reach macro_f1 >= 0.85" in said[0]
    assert "macro_f1 at 4,000 rows: about 0.8" in said[0]
    assert "of 600 labels are disputed" in said[1]
    assert said[2].startswith("'a' is taken for 'b' in 2 of 3 rows")
    assert advise(criterion, None, None, ()) == ()
    hopeless = advise(
        parse("macro_f1", ">= 0.9999"), learning_curve([point(n, 0.6, 0.001) for n in (99, 999)]), None, ()
    )
    assert "do not reach" in hopeless[0] or "at the least" in hopeless[0]


def test_rows_that_are_enough_lack_only_the_proof() -> None:
    curve = learning_curve([point(250, 0.70), point(500, 0.78), point(1000, 0.84)])
    said = advise(parse("macro_f1", ">= 0.75"), curve, None, ())
    assert "1,000 rows are likely enough for macro_f1 >= 0.75" in said[0]
    assert "data.test" in said[0]
