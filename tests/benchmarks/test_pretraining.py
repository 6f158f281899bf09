"""The pretraining benchmark's arithmetic, its restated peer and its recipe, without a clock."""

import math

import pytest
import torch
from torch.nn import functional

from benchmarks._nanogpt import LENGTH, RATE, STEPS, WARM_UP, Model, rate_at
from benchmarks._race import Clock, whole_loss
from benchmarks._recipe import measured, recipe, same_settings
from benchmarks.pretraining import PEER, RECIPE, check_peer, told_loss, told_speed
from dragoman.nn.store import fresh_lm
from dragoman.train.schedules import scheduled

RUN = {"from_step": 20.0, "from_start": 40.0, "processor": 20.0, "measuring": 2.0, "steps": 200, "weights": 800_000}


def restated() -> Model:
    """nanoGPT's model with the weights of a seed."""
    torch.manual_seed(0)
    return Model(65)


def test_the_peer_has_as_many_weights_as_it_says() -> None:
    assert sum(weight.numel() for weight in restated().parameters()) == 804_096


def test_the_peer_begins_at_a_guess() -> None:
    ids, labels = torch.randint(65, (2, 4, LENGTH))
    with torch.no_grad():
        guessed = float(restated()(ids, labels))
    assert guessed == pytest.approx(math.log(65), abs=0.15)


def test_our_model_of_its_settings_is_the_same_one() -> None:
    theirs, net = restated(), fresh_lm(same_settings()[0]).eval()
    given = dict(theirs.named_parameters())
    with torch.no_grad():
        for name, weight in net.named_parameters():
            if name.endswith("bias"):
                weight.zero_()
        net.embeddings.words.weight.copy_(given["words.weight"])
        net.embeddings.positions.table.weight.copy_(given["places.weight"])
        for number, block in enumerate(net.blocks):
            asked = given[f"layers.{number}.asked.weight"].chunk(3)
            for part, weight in zip(("query", "key", "value"), asked, strict=True):
                getattr(block.attention, part).weight.copy_(weight)
            block.attention.output.weight.copy_(given[f"layers.{number}.mixed.weight"])
            block.feed_forward.up.weight.copy_(given[f"layers.{number}.wide.weight"])
            block.feed_forward.down.weight.copy_(given[f"layers.{number}.narrow.weight"])
    part = torch.randint(65, (5 * LENGTH,))
    assert measured(net, part) == pytest.approx(whole_loss(lambda ids, labels: theirs(ids, labels), part), abs=1e-5)


def test_our_settings_give_its_rates() -> None:
    how = same_settings()[1]
    rates = [
        how.rate * scheduled(how.schedule, step, how.steps, how.warmup, how.cooldown, how.floor)
        for step in range(STEPS)
    ]
    assert rates[WARM_UP - 1] == pytest.approx(RATE)
    for step, rate in enumerate(rates):
        assert rate == pytest.approx(rate_at(step), rel=0.011)  # the rise there is to 101 steps, here to 100


def test_the_recipe_is_no_larger_than_its_peer() -> None:
    ours = sum(weight.numel() for weight in fresh_lm(recipe()[0]).parameters())
    assert ours <= 1.01 * sum(weight.numel() for weight in restated().parameters())


def test_every_character_but_the_first_is_measured_once() -> None:
    table = torch.randn(65, 65)
    part = torch.randint(65, (7 * LENGTH + 10,))

    def mean(ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(table[ids].flatten(0, 1), labels.flatten())

    assert whole_loss(mean, part) == pytest.approx(
        float(functional.cross_entropy(table[part[:-1]], part[1:])), rel=1e-5
    )


def test_the_clock_leaves_the_first_step_out_of_its_second_figure() -> None:
    clock = Clock(born=10.0, first=(15.0, 3.0), last=(40.0, 20.0), aside=2.0)
    clock.stepped()
    assert clock.told() == {"from_start": 30.0, "from_step": 25.0, "processor": 17.0, "measuring": 2.0}


def test_a_peer_that_misses_its_published_loss_is_none() -> None:
    check_peer([{"estimate": 1.89, "loss": 1.91}, {"estimate": 1.88}])
    with pytest.raises(RuntimeError, match="published is"):
        check_peer([{"estimate": 1.89, "loss": 1.94}])
    with pytest.raises(RuntimeError, match="published is"):
        check_peer([{"estimate": 2.4}])


def told(ours: float, theirs: float, loss: float) -> str:
    found = {
        RECIPE: [RUN | {"loss": 1.87, "from_step": ours}],
        PEER: [RUN | {"loss": 1.9, "estimate": 1.88, "from_step": theirs, "from_start": 180.0}],
    }
    return told_loss(found, [1.86, loss], 1.91, 1)


def test_the_race_is_told_with_its_ratios() -> None:
    said = told(20.0, 170.0, 1.87)
    assert "from the first step: 8.5 / 8.5 / 8.5 (min / median / max), aim 8: met" in said
    assert "from the start: 4.5 / 4.5 / 4.5, aim 3: met" in said
    assert "1.870, 1.860, 1.870; aim 1.88 at every seed: met" in said
    assert "Without all measuring: 9.3 / 9.3 / 9.3" in said


def test_what_is_missed_is_said() -> None:
    assert "aim 8: missed" in told(30.0, 170.0, 1.87)
    assert "at every seed: missed" in told(20.0, 170.0, 1.89)


def test_the_speeds_are_told_with_and_without_litgpt() -> None:
    run = {"loss": 9.0, "peak": 0.5, "saving": 0.6, "share": 0.01}
    found = {
        "dragoman": [run | {"tokens_per_second": 2100.0}],
        "Trainer": [{"loss": 9.0, "tokens_per_second": 1000.0}],
        "dragoman, compiled": [run | {"tokens_per_second": 2500.0}],
    }
    said = told_speed({"fp32": found}, 12, 1)
    assert "dragoman over Trainer: 2.10 / 2.10 / 2.10 (min / median / max); aim 2: met" in said
    assert "dragoman 50 %, Trainer 24 %, dragoman, compiled 60 %" in said
    assert "over litgpt" not in said
    assert "at the default interval 1.0 % of the time" in said
