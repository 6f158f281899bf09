"""What is advised is the best of what fits: no neighbour has a lower loss, and nothing needs more than there is."""

from dataclasses import replace

import pytest

from dragoman.core.chinchilla import BESIROGLU
from dragoman.core.errors import UserError
from dragoman.nn.activations import Pass
from dragoman.nn.arch import Arch
from dragoman.nn.footprint import Learning, count, training_memory
from dragoman.nn.operations import flops
from dragoman.nn.store import family_of
from dragoman.stages.advise import Wish, advise, budget_of
from dragoman.stages.predict import chunked

WISH = Wish(vocabulary=4096, length=256)
PLENTY = 10**13
BASE = family_of("llama").presets["tinyllama-1.1b"]


def shape(parameters: int) -> Arch:
    """A model of about that size, one layer for each 64 numbers of its width."""
    width = max(64, round((parameters * 64 / 12) ** (1 / 3) / 64) * 64)
    layers = max(1, round((parameters - 4096 * width) / (12 * width * width)))
    return replace(
        BASE,
        vocabulary=4096,
        width=width,
        layers=layers,
        heads=width // 64,
        kv_heads=0,
        feed_forward=width * 8 // 3 // 64 * 64 or 64,
        tied=True,
        positions=256,
    )


def test_the_advice_is_the_lowest_loss_of_its_budget() -> None:
    found = advise(4 * 3600, 2e11, PLENTY, WISH, shape=shape)
    assert found.budget == pytest.approx(4 * 3600 * 2e11)
    for factor in (0.5, 0.7, 1.5, 2.0):
        other = shape(round(found.parameters * factor))
        tokens = found.budget * 256 / flops(other, 1, 256).total
        assert BESIROGLU.loss(count(other).total, tokens) > found.loss * 0.9999
    assert found.parameters == count(found.arch).total
    assert found.tokens == pytest.approx(found.budget * 256 / flops(found.arch, 1, 256).total, rel=1e-6)


def test_the_interval_holds_the_loss_and_the_optimum() -> None:
    found = advise(3600, 1e15, PLENTY, WISH, shape=shape)
    assert found.low < found.loss < found.high
    assert found.sizes[0] < found.best.parameters < found.sizes[1]
    assert found.shares[0] < found.best.tokens_a_parameter < found.shares[1]


def test_more_time_is_a_larger_model_and_a_lower_loss() -> None:
    short, long = (advise(seconds, 2e11, PLENTY, WISH, shape=shape) for seconds in (600, 36_000))
    assert short.parameters < long.parameters
    assert short.tokens < long.tokens
    assert short.loss > long.loss


def test_little_memory_advises_what_fits_and_says_what_would_be_better() -> None:
    free = advise(36_000, 1e13, PLENTY, WISH, shape=shape)
    room = free.memory.total // 20
    found = advise(36_000, 1e13, room, WISH, shape=shape)
    assert found.memory.total <= room
    assert found.parameters < free.parameters
    assert any(f"{free.parameters:,}" in note for note in found.notes)
    step = Pass(found.batch, 256, precision="bf16", recompute=found.recompute)
    assert found.memory == training_memory(found.arch, step, chunked(found.arch, step, Learning()))


def test_blocks_are_recomputed_where_only_that_fits() -> None:
    free = advise(36_000, 1e13, PLENTY, replace(WISH, batch=32), shape=shape)
    found = advise(36_000, 1e13, free.memory.total - free.memory.activations // 2, replace(WISH, batch=32), shape=shape)
    assert found.recompute
    assert found.tokens < free.tokens, "they cost operations"


def test_no_memory_at_all_is_a_mistake() -> None:
    with pytest.raises(UserError, match="not even the smallest"):
        advise(3600, 1e12, 1000, WISH, shape=shape)


def test_scarce_text_is_repeated_and_said() -> None:
    free = advise(36_000, 1e13, PLENTY, WISH, shape=shape)
    found = advise(36_000, 1e13, PLENTY, WISH, tokens_available=free.tokens // 100, shape=shape)
    assert found.epochs == pytest.approx(found.tokens / (free.tokens // 100))
    assert found.loss > free.loss
    assert any("times" in note for note in found.notes)
    assert free.epochs == 1


def test_a_size_that_no_run_had_is_said() -> None:
    found = advise(600, 1e11, PLENTY, WISH, shape=shape)
    assert any("57 million" in note for note in found.notes)
    assert any("guessing" in note for note in found.notes), "9 nats and more, where 4,096 words guessed cost 8.3"
    assert not any("57 million" in note for note in advise(36_000, 1e15, PLENTY, WISH, shape=shape).notes)


@pytest.mark.parametrize(("seconds", "speed"), [(0, 1e12), (60, 0)])
def test_no_budget_is_a_mistake(seconds: float, speed: float) -> None:
    with pytest.raises(UserError, match="no time or no speed"):
        budget_of(seconds, speed)
