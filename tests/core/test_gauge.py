"""The live line of a training tells what was measured, fits the terminal, and never promises less than no time."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from dragoman.core.gauge import Gauge, columns, spark


class Clock:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def trained(steps: int = 2000, done: int = 120, pace: float = 0.1) -> Gauge:
    """A gauge after `done` steps of `pace` seconds and 1,000 tokens each."""
    clock = Clock()
    gauge = Gauge(steps, flops_per_token=6e6, peak_flops=1.5e11, clock=clock)
    for step in range(1, done + 1):
        clock.now += pace
        gauge.add(step, 5 - step / 100, 1000, 1.25 * 2**30)
    return gauge


def test_the_line_says_what_was_measured() -> None:
    line = trained().line(120)
    parts = line.split(" · ")
    assert parts[0] == "step 120 of 2,000"
    assert parts[1].startswith("loss 4.") and parts[1].endswith("▁")
    assert parts[2:] == ["10,000 tokens/s", "40 % of peak", "1.2 GiB", "3 min 8 s left"]
    assert trained().done == pytest.approx(0.06)


def test_what_is_told_besides_outlives_the_loss() -> None:
    told = "reward 1.77, kl 0.368, length 54.1"
    assert f"▁ · {told} · 10,000" in trained().line(120, told)
    line = trained().line(76, told)
    assert line.startswith("step 120 of 2,000 · ") and f"{told} · 3 min" in line and len(line) <= 76
    assert trained().line(40, told) == "step 120 of 2,000 · 3 min 8 s left"


def test_speed_is_that_of_the_last_seconds() -> None:
    gauge = trained()
    clock: Clock = gauge.clock  # type: ignore[assignment]
    for step in range(121, 161):
        clock.now += 1.0
        gauge.add(step, 3.0, 1000)
    assert gauge.speed == pytest.approx(1000, rel=0.05)
    assert gauge.loss == pytest.approx(3.0)
    assert gauge.memory == 1.25 * 2**30  # told before, not known since
    assert len(gauge.window) < 15


def test_slow_steps_still_have_a_mean() -> None:
    gauge = trained(pace=60.0)
    assert gauge.speed == pytest.approx(1000 / 60)
    assert len(gauge.window) == 8


def test_time_for_measuring_is_left_out_of_the_speed_and_counts_in_the_time_left() -> None:
    clock = Clock()
    gauge = Gauge(10, clock=clock)
    for step in (1, 2, 3, 4):
        clock.now += 2.0
        gauge.add(step, 1.0, 100, seconds=0.5)
    assert gauge.speed == pytest.approx(200)
    assert gauge.left == pytest.approx(12.0)


def test_one_that_goes_on_from_a_saved_state_knows_no_pace_until_its_second_step() -> None:
    clock = Clock()
    gauge = Gauge(2000, clock=clock)
    gauge.add(1001, 2.0, 50)
    assert gauge.line(200) == "step 1,001 of 2,000 · loss 2.000"
    clock.now += 1
    gauge.add(1002, 2.0, 50)
    assert gauge.left == pytest.approx(998)
    assert gauge.speed == pytest.approx(50)


@pytest.mark.parametrize(("step", "back"), [(12, 0.0), (10, 5.0), (7, 3000.0)])
def test_the_time_left_is_never_below_zero(step: int, back: float) -> None:
    """More steps than planned, or a clock that was put back."""
    clock = Clock()
    gauge = Gauge(10, clock=clock)
    gauge.add(1, 2.0, 10)
    clock.now += 1.0 - back
    gauge.add(step, 2.0, 10)
    assert gauge.left is not None and gauge.left >= 0
    assert gauge.speed is None or gauge.speed >= 0
    assert "-" not in gauge.line(200)
    assert 0 <= gauge.done <= 1


def test_where_nobody_knows_the_end_no_time_is_promised() -> None:
    gauge = trained(steps=0)
    assert gauge.left is None
    assert gauge.done == 0
    assert gauge.line(200).startswith("step 120 · loss")
    assert "left" not in gauge.line(200)


def test_what_matters_least_goes_first() -> None:
    gauge = trained()
    told = {width: gauge.line(width) for width in range(1, 121)}
    assert all(len(line) <= width for width, line in told.items())
    assert "GiB" not in told[80] and "tokens/s" in told[80] and "left" in told[80]
    assert told[40] == "step 120 of 2,000 · 3 min 8 s left"
    assert told[17] == "step 120 of 2,000"
    assert told[10] == "step 120 …"


def test_a_loss_that_is_no_number_is_left_out() -> None:
    gauge = trained(done=3)
    gauge.add(4, math.nan, 10)
    gauge.add(5, math.inf, 10)
    assert gauge.loss == pytest.approx((4.99 + 4.98 + 4.97) / 3)
    assert "nan" not in gauge.line(200)
    alone = Gauge(10)
    alone.add(1, math.nan, 10)
    assert alone.line(200) == "step 1 of 10"


def test_a_long_training_takes_no_more_room_than_a_short_one() -> None:
    clock = Clock()
    gauge = Gauge(100_000, clock=clock)
    for step in range(1, 20_001):
        clock.now += 1e-4
        gauge.add(step, 10 / step, 1)
    assert len(gauge.trace.means) <= 64
    assert len(gauge.trace.open) < gauge.trace.stretch
    assert len(gauge.window) <= 200


def test_the_picture_shows_the_later_half() -> None:
    """The first steps fall by far the most; with them in it, all that follows would look flat."""
    gauge = Gauge(1000, clock=Clock())
    for step in range(1, 501):
        gauge.add(step, 100.0 if step < 20 else 4 - step / 500, 1)
    picture = gauge.line(200).split(" · ")[1].split(" ")[-1]
    assert picture[0] == "█" and picture[-1] == "▁"
    assert len(set(picture)) > 4


def test_a_picture_has_a_bar_for_each_stretch() -> None:
    assert spark([8, 7, 6, 5, 4, 3, 2, 1]) == "█▇▆▅▄▃▂▁"
    assert spark([1, 1, 1]) == "▄▄▄"
    assert spark([1.0]) == spark([]) == ""
    assert spark([1, math.nan, 2]) == "▁█"


@settings(derandomize=True, deadline=None)
@given(some.lists(some.floats(-1e6, 1e6), min_size=2, max_size=300), some.integers(1, 40))
def test_any_values_make_a_picture(values: list[float], width: int) -> None:
    assert len(spark(values, width)) == min(len(values), width)


def test_without_a_terminal_there_are_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.__stderr__", None)
    assert columns() == 80
