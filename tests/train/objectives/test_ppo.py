"""Proximal policy optimisation: its rewards, its critic, answers that do not end, a kill in the middle of a round."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.train import checkpoint
from dragoman.train.loop import fit
from dragoman.train.objectives.grpo import Grpo
from dragoman.train.objectives.ppo import Ppo
from dragoman.train.objectives.rloo import Rloo
from dragoman.train.rollout import scored
from tests.micro import Micro, micro
from tests.train.policies import HOW, SHARED, begun_on

SMALL: dict[str, Any] = {**SHARED, "episodes": 16, "passes": 2}
SLOW = replace(HOW, batch=8, steps=10)


@pytest.fixture(scope="module")
def world() -> Micro:
    return micro(0)


def test_a_round_is_learnt_from_in_passes_of_steps(world: Micro) -> None:
    training = begun_on(world, Ppo(**SMALL), SLOW)
    steps = list(fit(training))
    assert training.encoded.steps_an_epoch(8) == 2 * 16 / 8  # one prompt: every round asks it
    rounds = [step.figures["reward"] for step in steps]
    assert rounds[0] == rounds[3] and rounds[3] != rounds[4] and len(set(rounds)) == 3


def test_a_token_is_paid_for_its_kl_and_the_last_one_for_the_answer(world: Micro) -> None:
    training = begun_on(world, Ppo(**SMALL), SLOW)
    next(fit(training))
    rollout = training.encoded.rollout  # type: ignore[attr-defined]
    moved = replace(rollout, reference=rollout.reference - 0.5 * rollout.mask, values=torch.zeros_like(rollout.values))
    objective = Ppo(**SMALL, gamma=1.0, decay=1.0)
    returns = objective.weigh(moved, 0.2).returns
    first = [int(row.nonzero()[0, 0]) for row in rollout.mask]
    for row, place in enumerate(first):
        assert float(returns[row, place]) == pytest.approx(float(rollout.scores[row]) - 0.2 * 0.5 * 5, abs=1e-4)


def test_the_critic_begins_at_0_and_learns_and_is_gone_in_the_end(world: Micro) -> None:
    training = begun_on(world, Ppo(**SMALL), SLOW)
    stream = fit(training)
    next(stream)
    assert not training.encoded.rollout.values.any()  # type: ignore[attr-defined]
    for _ in stream:
        pass
    assert training.encoded.rollout.values.any()  # type: ignore[attr-defined]
    assert "value.weight" in training.weights
    training.objective.withdraw(training.net)  # type: ignore[attr-defined]
    assert not [name for name, _ in training.net.named_parameters() if "value." in name and "attention" not in name]


def test_an_answer_that_does_not_end_is_scored_for_that() -> None:
    drawing = Ppo(missing_stop=-1.0).drawing
    assert scored([0.7, 0.9], [True, False], drawing) == [0.7, -1.0]
    assert scored([0.7, 0.9], [True, False], replace(drawing, must_stop=False)) == [0.7, 0.9]


def test_a_model_that_cannot_end_an_answer_is_not_asked_to(world: Micro) -> None:
    with pytest.raises(UserError, match="no end token"):
        begun_on(world, Ppo(**{**SMALL, "must_stop": True}), SLOW)


def test_a_reward_that_is_no_number_stops_before_anything_learns(world: Micro) -> None:
    sick = Micro(world.net, world.sequences, world.rewards * torch.nan)
    training = begun_on(sick, Ppo(**SMALL), SLOW)
    with pytest.raises(UserError, match="the reward of an answer to begin is nan"):
        next(fit(training))
    assert training.step == 0


@pytest.mark.parametrize(
    "objective",
    [Ppo(**SMALL, target=2.0, horizon=50.0), Rloo(**{**SMALL, "samples": 8}), Grpo(**{**SMALL, "samples": 8})],
    ids=["ppo", "rloo", "grpo"],
)
@pytest.mark.parametrize("killed", [4, 6], ids=["between rounds", "in a round"])
def test_a_killed_run_ends_as_one_that_was_not(world: Micro, objective: Any, killed: int, tmp_path: Path) -> None:
    whole = begun_on(world, objective, SLOW)
    told = [step.figures for step in fit(whole)]
    first = begun_on(world, objective, SLOW)
    for step in fit(first):
        if step.number == killed:
            checkpoint.save(tmp_path, first, {})
            break
    second = begun_on(world, objective, SLOW)
    checkpoint.restore(tmp_path / f"step-{killed:06d}", second, print)
    assert [step.figures for step in fit(second)] == told[killed:]
    for one, other in zip(whole.net.parameters(), second.net.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    "wrong", [{"episodes": 0}, {"temperature": 0.0}, {"beta": -1.0}, {"gamma": 1.5}, {"samples": 3}, {"clip": 0.0}]
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        Ppo(**wrong)


def test_a_round_that_steps_do_not_divide_is_refused(world: Micro) -> None:
    with pytest.raises(UserError, match="not cut into steps of 7"):
        begun_on(world, Ppo(**SMALL), replace(SLOW, batch=7))
