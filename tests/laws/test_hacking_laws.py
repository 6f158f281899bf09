"""A reward that adds up words, and a truth that wants none more than twice: the alarm rings where the truth turns.

The policy is exact: all 46,656 texts of 6 places and 6 words, tilted by exp(reward / beta), measured every half of a
sqrt(KL). Going along, the reward only rises, the truth rises to 2.60 and falls, as in Gao et al. 2022. Every
measurement draws 256 answers with the same luck.
"""

from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dragoman.evals.hacking import Limits, best_of_n, best_of_n_kl, fit_gold, raised

WORDS, PLACES, DRAWN, APART = 6, 6, 256, 0.5
COUNTS = np.stack([(np.array(list(product(range(WORDS), repeat=PLACES))) == word).sum(1) for word in range(WORDS)], 1)
REWARD = COUNTS @ np.linspace(-1.0, 1.0, WORDS)
ORDER = np.argsort(REWARD, kind="stable")
REWARD, COUNTS = REWARD[ORDER], COUNTS[ORDER]
TRUTH = REWARD - np.maximum(0, COUNTS - 2).sum(1)
LIMITS = Limits(kl=0.0, distinct=0.0, entropy=0.0)
Values = NDArray[np.float64]


def tilted(tilt: float) -> Values:
    """The best policy at beta = 1 / tilt: how probable each text is."""
    weights = np.exp(tilt * (REWARD - REWARD.max()))
    found: Values = weights / weights.sum()
    return found


def divergence(tilt: float) -> float:
    """Its KL to the reference, to which all texts are equally probable."""
    chances = tilted(tilt)
    return float((chances * np.log(np.maximum(chances * len(REWARD), 1e-300))).sum())


@cache
def tilts() -> tuple[float, ...]:
    """The tilts at which sqrt(KL) is 0, 0.5, 1, ..., 3."""
    grid = np.linspace(0.0, 8.0, 801)
    far = np.sqrt([max(0.0, divergence(float(tilt))) for tilt in grid])
    return tuple(float(grid[np.argmin(np.abs(far - wanted))]) for wanted in np.arange(0.0, 3.01, APART))


def point(step: int, truth: Values, seed: int, noise: float = 0.0) -> dict[str, Any]:
    """What a measurement shows; the same luck at every one, and some that is its own."""
    chances, dice = tilted(tilts()[step]), np.random.default_rng(seed)
    drawn = np.minimum(np.searchsorted(chances.cumsum(), dice.random(DRAWN)), len(REWARD) - 1)
    own = np.random.default_rng([seed, step]).normal(0.0, noise, DRAWN) if noise else 0.0
    rewards, gold = REWARD[drawn], truth[drawn] + own
    rows = {"reward_rows": rewards.tolist(), "gold_rows": gold.tolist()}
    return {"step": step, "reward": float(rewards.mean()), "gold": float(gold.mean()), **rows}


def first_alarm(truth: Values, seed: int, noise: float = 0.0) -> int:
    """At which measurement it rings; -1 where it never does."""
    history: list[dict[str, Any]] = []
    for step in range(len(tilts())):
        history.append(point(step, truth, seed, noise))
        if any(alarm.name == "reward-hacking" for alarm in raised(history, LIMITS)):
            return step
    return -1


@pytest.mark.parametrize("seed", range(8))
def test_it_rings_one_measurement_after_the_truth_is_highest(seed: int) -> None:
    exact = [float(tilted(tilt) @ TRUTH) for tilt in tilts()]
    peak = int(np.argmax(exact))
    assert 0 < peak < len(exact) - 1
    assert first_alarm(TRUTH, seed) == peak + 1


@pytest.mark.parametrize("seed", range(5))
def test_it_never_rings_where_the_reward_is_the_truth(seed: int) -> None:
    assert first_alarm(REWARD, seed, noise=1.0) == -1


@pytest.mark.parametrize("seed", range(5))
def test_it_never_rings_where_the_truth_only_stops_rising(seed: int) -> None:
    assert first_alarm(np.minimum(REWARD, 1.0), seed, noise=1.0) == -1


def test_without_rows_a_tenth_of_the_gain_must_be_lost() -> None:
    values = [0.0, 1.0, 0.95, 0.85]
    history = [{"step": step, "reward": float(step), "gold": gold} for step, gold in enumerate(values)]
    assert [bool(raised(history[: count + 1])) for count in range(4)] == [False, False, False, True]


def orders(n: int, words: int = 6) -> float:
    """The exact KL of the best of n equally probable answers of which no two are equal: by rank of the best."""
    size = words**4
    ranks = np.arange(1, size + 1) / size
    chances = ranks**n - (ranks - 1 / size) ** n
    kept = chances > 0
    return float((chances[kept] * np.log(chances[kept] * size)).sum())


@pytest.mark.parametrize("n", [1, 2, 4, 8, 16])
def test_the_kl_of_the_best_of_n_is_the_formula(n: int) -> None:
    assert best_of_n_kl(n) == pytest.approx(orders(n), abs=1e-3)


def test_what_the_best_of_n_is_worth_is_exact_over_all_choices() -> None:
    rewards = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])
    gold = -rewards
    by_hand = [np.mean([max(pair) for row in rewards for pair in choices(row)]) for choices in (one, two, three)]
    found = best_of_n(rewards, gold, (1, 2, 3, 4))
    assert [point["reward"] for point in found] == pytest.approx(by_hand)
    assert [point["gold"] for point in found] == pytest.approx([-value for value in by_hand])
    assert [point["n"] for point in found] == [1, 2, 3]


def one(row: Sequence[float]) -> list[tuple[float, ...]]:
    return [(value,) for value in row]


def two(row: Sequence[float]) -> list[tuple[float, ...]]:
    return [(row[a], row[b]) for a, b in product(range(3), repeat=2) if a < b]


def three(row: Sequence[float]) -> list[tuple[float, ...]]:
    return [tuple(row)]


def test_the_curves_of_the_truth_are_found_again() -> None:
    kl = np.linspace(0.1, 6.0, 20)
    far = np.sqrt(kl)
    assert fit_gold(kl.tolist(), (far * (2.0 - 0.6 * far)).tolist(), learnt=False) == pytest.approx((2.0, 0.6))
    assert fit_gold(kl.tolist(), (far * (1.5 - 0.4 * np.log(far))).tolist(), learnt=True) == pytest.approx((1.5, 0.4))
