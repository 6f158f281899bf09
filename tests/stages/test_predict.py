"""A training's time follows from its operations and the machine, and measured tokens a second win."""

import pytest

from dragoman.nn.activations import Pass
from dragoman.nn.footprint import Learning, count, lora_parameters, training_memory
from dragoman.nn.operations import flops
from dragoman.nn.store import family_of
from dragoman.stages.predict import Prices, Speed, chunked, predict, speed_of
from dragoman.train.cross_entropy import chunk_size
from dragoman.train.machine import Machine

ARCH = family_of("gpt2").presets["small"]
STEP = Pass(4, 256, precision="bf16")
MACHINE = Machine("cpu", "two", fp32=1e11, bf16=4e11, learning_fp32=6e10, learning_bf16=2e11, bandwidth=1e10, memory=1)


def test_operations_tokens_and_memory_of_a_training() -> None:
    found = predict(ARCH, STEP, Learning(), steps=10, accumulation=3)
    assert found.tokens == 4 * 256 * 10 * 3
    assert found.flops.total == pytest.approx(30 * flops(ARCH, 4, 256).total)
    assert found.flops_per_token == pytest.approx(flops(ARCH, 1, 256).total / 256)
    assert found.memory == training_memory(ARCH, STEP, Learning()), "parts of a step come one at a time"
    assert found.learnt == count(ARCH).total
    assert found.seconds == 0, "no speed was given"


def test_time_is_operations_and_the_optimizers_reading() -> None:
    found = predict(ARCH, STEP, Learning(), 10, speed=speed_of(MACHINE, "bf16"))
    moved = 10 * 34 * count(ARCH).total / 1e10
    assert found.seconds == pytest.approx(found.flops.total / 2e11 + moved)


def test_a_share_of_the_peak_can_be_given() -> None:
    assert speed_of(MACHINE, "bf16", 0.25).flops == 1e11
    assert speed_of(MACHINE, "fp32").flops == 6e10


def test_measured_tokens_a_second_win() -> None:
    found = predict(ARCH, STEP, Learning(), 10, speed=Speed(flops=1, tokens=1024))
    assert found.seconds == pytest.approx(10)


def test_lora_moves_little_and_saves_a_third_of_the_operations() -> None:
    learning = Learning(tuning="lora", where=("query", "value"))
    full, lora = predict(ARCH, STEP, Learning(), 10), predict(ARCH, STEP, learning, 10)
    assert lora.learnt == lora_parameters(ARCH, 8, ("query", "value"))
    assert 0.6 < lora.flops.total / full.flops.total < 0.75


def test_logits_stand_as_the_loss_takes_them() -> None:
    assert chunked(ARCH, STEP, Learning()).chunk == chunk_size(4 * 256, ARCH.vocabulary) < 4 * 256


def test_energy_and_price() -> None:
    prices = Prices(watts=500, kwh=0.4, hour=2.0)
    assert prices.energy(7200) == pytest.approx(1.0)
    assert prices.price(7200) == pytest.approx(0.4 + 4.0)
    assert Prices().price(1e6) == 0


def test_the_facts_are_plain_values() -> None:
    facts = predict(ARCH, STEP, Learning(), 2).facts
    assert facts["memory"]["total"] == sum(value for name, value in facts["memory"].items() if name != "total")
    assert facts["flops"]["total"] == pytest.approx(facts["flops_per_token"] * facts["tokens"])
