"""What tells questions apart is counted exactly, its intervals cover, and a threshold between both kinds never errs."""

from statistics import NormalDist

import numpy as np
import pytest

from dragoman.core.errors import UserError
from dragoman.evals.refusals import auroc, choose, refused_share


def test_auroc_is_the_share_of_pairs_in_the_right_order() -> None:
    random = np.random.default_rng(0)
    first, second = random.integers(0, 8, 31).tolist(), random.integers(0, 6, 17).tolist()
    pairs = [(one > other) + (one == other) / 2 for one in first for other in second]
    found = auroc(first, second)
    assert found.value == pytest.approx(sum(pairs) / len(pairs)) and found.low < found.value < found.high
    assert auroc([1.0, 2.0], [-np.inf, 0.5]).value == 1.0 and auroc([1.0], [2.0, 3.0]).value == 0.0
    with pytest.raises(ValueError, match="tell apart"):
        auroc([], [1.0])


@pytest.mark.parametrize(("count", "apart"), [(12, 0.0), (30, 0.5), (40, 2.0)])
def test_its_interval_covers_the_truth(count: int, apart: float) -> None:
    random, truth, draws = np.random.default_rng(1), NormalDist().cdf(apart / 2**0.5), 300
    found = [auroc(random.normal(apart, 1, count).tolist(), random.normal(0, 1, count).tolist()) for _ in range(draws)]
    assert sum(one.low <= truth <= one.high for one in found) / draws >= 0.92


def test_a_threshold_between_both_kinds_never_errs() -> None:
    random = np.random.default_rng(2)
    good = random.uniform(0.6, 0.9, 40).tolist()
    others = {"near miss": random.uniform(0.1, 0.4, 30).tolist(), "off topic": random.uniform(0.0, 0.2, 20).tolist()}
    found = choose(good, {**others, "none": []}, 0.05)
    assert 0.4 < found.threshold < 0.6
    assert found.false_refusals.value == found.false_answers.value == 0.0
    assert {kind: one.value for kind, one in found.by_kind.items()} == {"near miss": 0.0, "off topic": 0.0}
    assert refused_share(good, found.threshold).value == 0.0
    assert refused_share(others["near miss"], found.threshold).value == 1.0


def test_few_questions_are_refused_falsely_and_the_kinds_add_up() -> None:
    random = np.random.default_rng(3)
    good, near = random.normal(0.6, 0.1, 400), random.normal(0.55, 0.1, 400)  # near misses are hardly told apart
    off = random.normal(0.1, 0.05, 100)
    found = choose(good.tolist(), {"near miss": near.tolist(), "off topic": off.tolist()}, 0.05)
    assert float((good < found.threshold).mean()) <= 0.05 and found.false_refusals.value <= 0.08
    assert found.by_kind["near miss"].value > 0.8 and found.by_kind["off topic"].value == 0.0
    told = (400 * found.by_kind["near miss"].value + 100 * found.by_kind["off topic"].value) / 500
    assert found.false_answers.value == pytest.approx(told)


def test_a_threshold_is_not_chosen_from_a_few() -> None:
    with pytest.raises(UserError, match="at least 10"):
        choose([0.5] * 9, {"off topic": [0.1] * 20})
