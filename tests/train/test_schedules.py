"""Schedules against their formulas: at the ends of the warm-up, of the stable part and of the run."""

import itertools
import math

import pytest

from dragoman.train.schedules import Cooling, Schedule, cooldown_steps, scheduled, warmup_steps

KINDS: tuple[Schedule, ...] = ("constant", "linear", "cosine", "wsd")


def curve(kind: Schedule, floor: float = 0.0) -> list[float]:
    """The share of every step of 100, with 10 of warm-up and 20 of cool-down."""
    return [scheduled(kind, step, 100, 0.1, 0.2, floor) for step in range(100)]


@pytest.mark.parametrize("kind", KINDS)
def test_it_rises_in_a_line_to_its_height(kind: Schedule) -> None:
    assert warmup_steps(0.1, 100) == 10
    found = curve(kind)
    assert found[:10] == [(step + 1) / 10 for step in range(10)]
    assert found[10] == 1.0
    assert all(one >= next_one for one, next_one in itertools.pairwise(found[10:]))


def test_each_falls_by_its_formula() -> None:
    assert curve("constant")[10:] == [1.0] * 90
    assert curve("linear")[10:] == [pytest.approx(1.0 - step / 90) for step in range(90)]
    assert curve("cosine")[10:] == [pytest.approx(0.5 * (1.0 + math.cos(math.pi * step / 90))) for step in range(90)]
    stable = curve("wsd")
    assert stable[10:81] == [1.0] * 71
    assert stable[80:] == [pytest.approx(1.0 - math.sqrt(step / 20)) for step in range(20)]
    line = [scheduled("wsd", step, 100, 0.1, 0.2, cooling="linear") for step in range(80, 100)]
    assert line == [pytest.approx(1.0 - step / 20) for step in range(20)]


@pytest.mark.parametrize("kind", ["linear", "cosine", "wsd"])
def test_the_floor_is_what_the_step_after_the_last_would_have(kind: Schedule) -> None:
    bare, lifted = curve(kind), curve(kind, floor=0.1)
    assert lifted[10:] == [pytest.approx(0.1 + 0.9 * share) for share in bare[10:]]
    assert lifted[:10] == bare[:10]
    assert lifted[-1] > 0.1
    assert curve(kind, floor=1.0)[10:] == [1.0] * 90
    assert curve("constant", floor=0.1) == curve("constant")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cooling", ["sqrt", "linear"])
def test_every_step_of_every_run_has_a_rate(kind: Schedule, cooling: Cooling) -> None:
    for steps, warmup, cooldown in itertools.product((1, 2, 3, 7, 50), (0.0, 0.1, 0.5, 0.9), (0.0, 0.2, 0.6, 1.0)):
        for step in range(steps):
            assert 0.0 < scheduled(kind, step, steps, warmup, cooldown, 0.0, cooling) <= 1.0
    assert scheduled(kind, 10**9 - 1, 10**9, 0.0, 1.0, 0.0, cooling) > 0.0


def test_the_stable_part_does_not_know_how_long_the_run_is() -> None:
    short = [scheduled("wsd", step, 100, 10 / 100) for step in range(80)]
    assert short == [scheduled("wsd", step, 1000, 10 / 1000) for step in range(80)]


def test_a_warm_up_comes_before_a_cool_down() -> None:
    assert cooldown_steps(0.5, 0.9, 10) == 5
    assert [scheduled("wsd", step, 10, 0.5, 0.9) for step in range(6)] == [0.2, 0.4, 0.6, 0.8, 1.0, 1.0]
    assert cooldown_steps(0.1, 0.0, 10) == 0
    assert scheduled("wsd", 9, 10, 0.1, 0.0) == 1.0


@pytest.mark.parametrize("step", [-1, 10, 11])
def test_a_step_outside_the_run_is_a_bug_that_speaks(step: int) -> None:
    with pytest.raises(ValueError, match="no step"):
        scheduled("linear", step, 10)
