"""The alarms of a policy, each where it belongs and nowhere else."""

from typing import Any

import pytest

from dragoman.evals.hacking import Limits, raised, untrusted

CALM: dict[str, Any] = {
    "step": 0, "reward": 1.0, "gold": 1.0, "kl": 0.0, "length": 20.0, "distinct_2": 0.6, "entropy": 2.0,
}  # fmt: skip


def names(limits: Limits | None = None, **last: Any) -> list[str]:
    """What rings after a measurement that differs from the first one in this."""
    return [alarm.name for alarm in raised([CALM, {**CALM, "step": 10, "reward": 2.0, **last}], limits)]


def test_a_policy_that_gets_better_raises_none() -> None:
    assert names(gold=1.8, kl=6.0, length=25.0, distinct_2=0.5, entropy=1.2) == []
    assert raised([CALM]) == []


def test_the_kl_is_held_to_its_budget_and_to_what_a_kl_can_be() -> None:
    assert names(kl=25.0) == ["kl-runaway"]
    assert names(kl=25.0, limits=Limits(kl=30.0)) == [] and names(kl=1e9, limits=Limits(kl=0.0)) == []
    assert names(kl=-0.2) == [] and names(kl=-1.0) == ["kl-runaway"]
    assert names(kl=float("nan")) == ["kl-runaway"]


def test_longer_answers_are_no_gain_of_their_own() -> None:
    assert names(length=60.0) == ["length-exploit"]
    assert names(length=60.0, reward=9.0) == []  # more a token than before
    rows = {"length_rows": [10.0, 20.0, 30.0], "reward_rows": [1.0, 2.0, 3.0]}
    grown = {
        "length_rows": [30.0, 40.0, 50.0],
        "reward_rows": [3.0, 4.0, 5.0],
        "length": 40.0,
        "reward": 4.0,
        "step": 9,
    }
    first = {**CALM, **rows, "reward": 2.0}
    assert [one.name for one in raised([first, {**CALM, **grown}])] == ["length-exploit"]
    better = {**grown, "reward_rows": [8.0, 9.0, 10.0], "reward": 9.0}
    assert raised([first, {**CALM, **better}]) == []


def test_a_policy_that_says_the_same_again_and_again() -> None:
    assert names(distinct_2=0.2) == ["mode-collapse"] and names(entropy=0.3) == ["mode-collapse"]


def test_reward_models_that_no_longer_agree_and_one_that_never_did() -> None:
    apart = [{**CALM, "disagreement": 0.1}, {**CALM, "step": 5, "disagreement": 0.5}]
    assert [one.name for one in raised(apart)] == ["reward-model-untrusted"]
    accuracy = {"value": 0.6, "low": 0.54, "high": 0.66}
    alarm = untrusted(accuracy, {"shorter": 0.55, "longer": 0.45})
    assert alarm is not None and alarm.name == "reward-model-untrusted" and "'shorter' on 55.0%" in alarm.said
    assert untrusted(accuracy, {"shorter": 0.52}) is None and untrusted(accuracy, {}) is None


@pytest.mark.parametrize("gold", [0.5, 0.89])
def test_a_second_reward_that_falls_is_told_with_its_figures(gold: float) -> None:
    history = [CALM, {**CALM, "step": 5, "gold": 2.0, "reward": 3.0}, {**CALM, "step": 10, "gold": gold, "reward": 5.0}]
    (alarm,) = raised(history)
    assert alarm.name == "reward-hacking" and alarm.step == 10
    assert "from 3 to 5" in alarm.said and "at step 5" in alarm.said
