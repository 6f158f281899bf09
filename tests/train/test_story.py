"""The story keeps what can be drawn: means of stretches, measurements, the best of them, and no figure that is none."""

import math
from dataclasses import replace

import pytest

from dragoman.train.doors import Step
from dragoman.train.story import Story
from tests.train.texts import begun

STEP = Step(1, 0.5, 2.0, 1.0, 1e-3, ("a",), 100, "chain")


def test_stretches_are_means_and_a_step_that_was_left_out_is_none() -> None:
    story = Story()
    for number, loss in enumerate((2.0, 4.0, math.nan, 6.0), 1):
        story.add(replace(STEP, number=number, loss=loss, skipped=not math.isfinite(loss)), 2, 0.5)
    assert story.losses == [3.0, 6.0]
    assert story.since == [12.0, 3]
    assert story.tokens == 400
    assert [speed for _, speed, _ in story.speed] == [200.0, 200.0]


def test_a_time_that_nobody_knows_is_no_speed() -> None:
    story = Story()
    story.add(STEP, 1, 0.0)
    assert story.speed == [[1, 0.0, 1e-3]]


def test_measurements_tell_the_mean_loss_since_the_last_and_the_best_is_kept() -> None:
    story, training = Story(), begun()
    story.add(STEP, 1, 0.1)
    training.step = 1
    story.note({"validation": 3.0}, training)
    story.crown({"validation": 3.0}, training.step)
    training.step = 2
    story.note({"validation": 4.0}, training)
    assert story.best == {"validation": 3.0} and story.best_step == 1
    assert story.history[0]["loss"] == 2.0 and story.history[0]["tokens"] == 100
    assert story.measured(2) and not story.measured(3)
    assert story.tired(1) and not story.tired(2)
    assert story.history[1]["loss"] == pytest.approx(0.0)
