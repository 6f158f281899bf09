"""The stop rule: from cheap to dear, and never up for noise."""

import numpy as np
import pytest

from dragoman.core.targets import criteria
from dragoman.core.types import Estimate
from dragoman.evals.interval import estimate
from dragoman.evals.ladder import RungResult, choose, next_move, standing
from dragoman.metrics.accuracy import Accuracy

METRICS = {"accuracy": Accuracy()}
ASKED = criteria({"accuracy": ">= 0.80"}, {"p95_ms": "<= 50"})
RUNGS = ("zero_shot", "few_shot", "head", "lora", "full")


def rung(name: str, right: float, ms: float = 10.0, seed: int = 0, rows: int = 500) -> RungResult:
    """A rung right on exactly this share of rows; which rows the seed decides."""
    order = np.random.default_rng(seed).permutation(rows)
    measured = (order < right * rows).astype(float)[:, None]
    estimates = {"accuracy": estimate(Accuracy(), measured), "p95_ms": Estimate(ms, ms * 0.9, ms * 1.1, 100)}
    return RungResult(name, estimates, measured={"accuracy": measured})


def test_climbs_until_one_is_proven() -> None:
    assert next_move([], RUNGS, ASKED).rung == "zero_shot"
    move = next_move([rung("zero_shot", 0.5)], RUNGS, ASKED)
    assert (move.action, move.rung) == ("climb", "few_shot")
    assert "accuracy >= 0.8: 0.5000" in move.reason
    unproven = [rung("zero_shot", 0.5), rung("few_shot", 0.81)]  # the figure passes, its interval does not
    assert next_move(unproven, RUNGS, ASKED).rung == "head"
    move = next_move([*unproven, rung("head", 0.9)], RUNGS, ASKED)
    assert (move.action, move.rung) == ("stop", "head")


def test_a_rung_over_a_limit_does_not_stop_the_climb() -> None:
    done = [rung("zero_shot", 0.95, ms=80.0)]
    assert next_move(done, RUNGS, ASKED).action == "climb"
    unmeasured = RungResult("zero_shot", {"accuracy": done[0].estimates["accuracy"]})
    assert next_move([unmeasured], RUNGS, ASKED).action == "climb"
    assert standing(unmeasured, ASKED)[1].outcome == "unmeasured"


def test_all_goes_on_and_ends() -> None:
    done = [rung("zero_shot", 0.9)]
    move = next_move(done, RUNGS, ASKED, climb_all=True)
    assert (move.action, move.rung) == ("climb", "few_shot")
    assert "to compare" in move.reason
    every = [rung(name, 0.9) for name in RUNGS]
    assert next_move(every, RUNGS, ASKED, climb_all=True).action == "stop"
    none = next_move([rung(name, 0.5) for name in RUNGS], RUNGS, ASKED)
    assert (none.action, none.rung) == ("stop", "")


def test_no_adaptation_needed() -> None:
    choice = choose([rung("zero_shot", 0.6), rung("few_shot", 0.9)], ASKED, METRICS)
    assert (choice.rung, choice.answer) == ("few_shot", "no adaptation needed")
    assert "not justified" in choice.reason


def test_the_cheapest_that_meets_is_taken_even_when_a_dearer_one_is_better() -> None:
    choice = choose([rung("zero_shot", 0.5), rung("head", 0.88), rung("full", 0.97, seed=0)], ASKED, METRICS)
    assert (choice.rung, choice.answer) == ("head", "met")
    assert [(a, b, found.better) for a, b, found in choice.comparisons] == [
        ("zero_shot", "head", "b"),
        ("head", "full", "b"),
    ]
    assert choice.comparisons[0][2].test.endswith("Holm")


def test_noise_never_promotes() -> None:
    done = [rung("zero_shot", 0.4), rung("head", 0.70, seed=1), rung("lora", 0.71, seed=1), rung("full", 0.71, seed=2)]
    choice = choose(done, ASKED, METRICS)
    assert (choice.rung, choice.answer) == ("head", "none meets the target")
    assert "accuracy >= 0.8" in choice.reason
    better = choose([*done[:2], rung("lora", 0.78, seed=1)], ASKED, METRICS)
    assert better.rung == "lora"


def test_small_steps_are_measured_against_the_incumbent() -> None:
    steps = [rung(name, share) for name, share in zip(RUNGS, (0.60, 0.605, 0.61, 0.615, 0.62), strict=True)]
    assert choose(steps, ASKED, METRICS).rung == "lora"  # 0.605 and 0.61 prove nothing over 0.60, 0.615 does


def test_of_those_that_miss_one_within_the_limits_goes_first() -> None:
    choice = choose([rung("head", 0.7), rung("full", 0.79, ms=90.0)], ASKED, METRICS)
    assert choice.rung == "head"
    assert choose([rung("head", 0.7, ms=90.0), rung("full", 0.79, ms=95.0)], ASKED, METRICS).rung == "full"


def test_limits_alone_and_no_rungs() -> None:
    only = criteria({}, {"p95_ms": "<= 50"})
    assert choose([rung("head", 0.7)], only, METRICS).answer == "met"
    assert choose([rung("head", 0.7, ms=90.0)], only, METRICS).comparisons == ()
    with pytest.raises(ValueError, match="no rung"):
        choose([], ASKED, METRICS)
