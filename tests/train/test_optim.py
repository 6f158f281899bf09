"""Each weight in one group, each group at its exact rate, and schedules that depend on the step alone."""

import math
from dataclasses import replace

import pytest
import torch

from dragoman.train.doors import How, Pace
from dragoman.train.optim import group_weights, make_optimiser, scheduled, set_rates, warmup_steps
from dragoman.train.paces import by_depth
from dragoman.train.tuning.layers import Layers
from tests.train.small import begun, net


def test_every_weight_that_learns_is_in_exactly_one_group() -> None:
    model = net()
    groups = group_weights(model, by_depth(model, 0.5, 3.0), decay=0.1)
    named = [name for group in groups for name in group.names]
    assert sorted(named) == sorted(name for name, _ in model.named_parameters())
    sizes = {name: weight.ndim for name, weight in model.named_parameters()}
    for group in groups:
        assert {sizes[name] > 1 for name in group.names} == {group.decay > 0}


def test_a_weight_without_a_pace_is_a_bug_that_speaks() -> None:
    model = net()
    paces = dict(by_depth(model))
    paces.pop("head.out.bias")
    with pytest.raises(ValueError, match=r"head\.out\.bias"):
        group_weights(model, paces, 0.0)
    with pytest.raises(ValueError, match="nowhere"):
        group_weights(model, dict(by_depth(model)) | {"nowhere": Pace()}, 0.0)


@pytest.mark.parametrize("step", [0, 3, 7])
def test_each_layer_learns_at_its_exact_rate(step: int) -> None:
    """eta * xi ** (L - l), as in ELECTRA."""
    training = begun(Layers(top=4, layer_decay=0.5, head_pace=7.0), replace(How(), rate=1e-3, epochs=2, max_length=12))
    rate = scheduled(training.how, step, training.steps)
    set_rates(training.optimiser, list(training.groups), rate)
    names = {id(weight): name for name, weight in training.weights.items()}
    rates = {names[id(w)]: table["lr"] for table in training.optimiser.param_groups for w in table["params"]}
    for name, found in rates.items():
        if name.startswith("head."):
            assert found == rate * 7.0
        elif name.startswith("encoder.embeddings."):
            assert found == rate * 0.5**3
        else:
            assert found == rate * 0.5 ** (3 - (int(name.split(".")[2]) + 1))


def test_the_schedule_rises_and_falls() -> None:
    how = How(rate=2.0, warmup=0.1)
    assert warmup_steps(how, 100) == 10
    for kind in ("constant", "linear", "cosine"):
        shaped = replace(how, schedule=kind)  # type: ignore[arg-type]
        rates = [scheduled(shaped, step, 100) for step in range(100)]
        assert rates[:10] == [pytest.approx(2.0 * (step + 1) / 10) for step in range(10)]
        assert min(rates) > 0
        assert max(rates) == 2.0
    linear = [scheduled(how, step, 100) for step in range(100)]
    assert linear[10:] == [pytest.approx(2.0 * (1 - step / 90)) for step in range(90)]
    assert scheduled(replace(how, schedule="constant"), 99, 100) == 2.0
    assert scheduled(replace(how, schedule="cosine"), 55, 100) == pytest.approx(1.0 + math.cos(math.pi / 2))


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_short_runs_have_a_rate_too(steps: int) -> None:
    for warmup in (0.0, 0.1, 0.9):
        assert all(scheduled(How(rate=1.0, warmup=warmup), step, steps) > 0 for step in range(steps))


def test_adamw_is_the_published_one() -> None:
    """Three steps against the formula of 1711.05101, in float64 by hand."""
    how = How(rate=0.1, decay=0.5, beta1=0.8, beta2=0.9, epsilon=1e-3)
    model = torch.nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(1.0)
    groups = group_weights(model, {"weight": Pace()}, how.decay)
    optimiser = make_optimiser(model, groups, how)
    value, mean, square = 1.0, 0.0, 0.0
    for step, slope in enumerate([0.3, -0.2, 0.7], 1):
        model.weight.grad = torch.tensor([[slope]])
        set_rates(optimiser, groups, how.rate)
        optimiser.step()
        mean, square = 0.8 * mean + 0.2 * slope, 0.9 * square + 0.1 * slope**2
        value -= 0.1 * 0.5 * value
        value -= 0.1 * (mean / (1 - 0.8**step)) / (math.sqrt(square / (1 - 0.9**step)) + 1e-3)
        assert model.weight.item() == pytest.approx(value, rel=1e-6)
