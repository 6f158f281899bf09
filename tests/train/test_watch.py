"""Which state is kept: the best within its limits and before an alarm; and what ends a training early."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.heads import Classifier
from dragoman.train.watch import Watch
from tests.train.small import HOW, learned

LONG = replace(HOW, epochs=5)  # of 5 steps each


def scripted(*points: Mapping[str, float]) -> Callable[[Classifier], Mapping[str, float]]:
    """A measurement that answers with given figures."""
    left = list(points)
    return lambda _: left.pop(0)


def rewards(*values: float) -> Callable[[Classifier], Mapping[str, float]]:
    return scripted(*({"reward": value, "kl": 4 * value} for value in values))


def loud(most: float) -> Callable[[Any], str]:
    """An alarm that rings where the reward is too good to be true."""
    return lambda history: "hacked: too good" if history[-1]["reward"] > most else ""


def test_a_state_that_rings_ends_the_training_and_is_not_kept(tmp_path: Path) -> None:
    watch = Watch("reward", alarm=loud(2.5))
    outcome = learned(tmp_path, how=LONG, measure=rewards(1, 2, 3, 4, 5), watch=watch)
    assert (outcome.steps, outcome.best_step, outcome.alarm) == (15, 10, "hacked: too good")
    assert outcome.best["reward"] == 2 and len(outcome.history) == 3


def test_a_state_that_is_good_enough_ends_it_and_is_kept(tmp_path: Path) -> None:
    watch = Watch("reward", enough=2.0)
    outcome = learned(tmp_path, how=LONG, measure=rewards(1, 2, 3, 4, 5), watch=watch)
    assert (outcome.steps, outcome.best_step) == (10, 10)
    assert outcome.alarm == "enough: the reward is 2, and 2 was asked for"


def test_the_best_lies_within_the_limits(tmp_path: Path) -> None:
    watch = Watch("reward", limits={"kl": 10.0})
    outcome = learned(tmp_path, how=LONG, measure=rewards(1, 2, 3, 4, 2.4), watch=watch)
    assert outcome.best_step == 25 and outcome.best["reward"] == 2.4


def test_one_that_was_measured_before_its_first_step_can_be_gone_back_to(tmp_path: Path) -> None:
    outcome = learned(tmp_path, how=LONG, measure=rewards(2, 1, 1, 1, 1, 1), watch=Watch("reward", opening=True))
    assert outcome.best_step == 0 and len(outcome.history) == 6


def test_figures_against_figures() -> None:
    watch = Watch("loss", higher=False, enough=0.5)
    assert watch.better({"loss": 1.0}, {"loss": 2.0}) and not watch.better({"loss": 2.0}, {"loss": 2.0})
    assert watch.better({"loss": 2.0}, {}) and watch.better({"loss": 9.0}, {"loss": float("nan")})
    assert watch.reached({"loss": 0.5}) and not watch.reached({"loss": 0.6})
    with pytest.raises(UserError, match="no figure named loss"):
        watch.better({"accuracy": 1.0}, {})
