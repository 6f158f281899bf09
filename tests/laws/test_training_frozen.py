"""After a step, what is frozen has the same bits and what learns has others; before it, no answer has changed."""

from dataclasses import replace

import pytest
import torch

from dragoman.train.doors import Tuning
from dragoman.train.rows import fold
from dragoman.train.tuning.full import Full
from dragoman.train.tuning.head import Head
from dragoman.train.tuning.layers import Layers
from dragoman.train.tuning.lora import Lora
from tests.train.small import HOW, begun, net, steps

TUNINGS = [Full(), Head(), Layers(top=1), Layers(top=2), Layers(top=4), Lora(rank=2), Lora(where=("query",))]
IDS = torch.tensor([[1, 5, 9, 30, 2], [1, 60, 61, 7, 2]])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("tuning", TUNINGS, ids=str)
def test_frozen_weights_keep_their_bits(tuning: Tuning, precision: str) -> None:
    training = begun(tuning, replace(HOW, precision=precision, decay=0.5, clip=0.1))  # type: ignore[arg-type]
    before = {name: weight.detach().clone() for name, weight in training.net.named_parameters()}
    steps(training, 3)
    for name, weight in training.net.named_parameters():
        assert torch.equal(weight, before[name]) != (name in training.weights), name


@pytest.mark.parametrize("tuning", TUNINGS, ids=str)
def test_every_weight_that_learns_is_in_one_group_and_no_other_is(tuning: Tuning) -> None:
    training = begun(tuning)
    held = [weight for table in training.optimisers[0].param_groups for weight in table["params"]]
    assert len(held) == len({id(weight) for weight in held})
    assert {id(weight) for weight in held} == {
        id(weight) for weight in training.net.parameters() if weight.requires_grad
    }
    assert sorted(name for group in training.groups for name in group.names) == sorted(training.weights)


@pytest.mark.parametrize("tuning", TUNINGS, ids=str)
def test_before_the_first_step_the_answers_are_the_base_model_s(tuning: Tuning) -> None:
    """The difference is 0.0, not nearly so: B = 0 in LoRA."""
    training = begun(tuning)
    base = net().requires_grad_(isinstance(tuning, Full | Layers))  # torch chooses kernels by what learns
    with torch.no_grad():
        assert float((training.net.eval()(IDS, None) - base(IDS, None)).abs().max()) == 0.0


@pytest.mark.parametrize("tuning", TUNINGS, ids=str)
def test_merged_answers_as_wrapped(tuning: Tuning) -> None:
    training = begun(tuning)
    steps(training)
    with torch.no_grad():
        wrapped = training.net.eval()(IDS, None)
        fold(training.net)
        merged = tuning.merge(training.net).eval()
        assert float((merged(IDS, None) - wrapped).abs().max()) <= 1e-5 * float(wrapped.abs().max())
    assert {name for name, _ in merged.named_parameters()} == {name for name, _ in net().named_parameters()}
