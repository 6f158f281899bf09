"""Each weight in one group, each group with one optimiser and at its exact rate."""

import math
from dataclasses import replace

import pytest
import torch

from dragoman.train.doors import How, Pace
from dragoman.train.muon import Muon
from dragoman.train.optim import group_weights, make_optimisers, set_rates
from dragoman.train.paces import by_depth
from dragoman.train.tuning.layers import Layers
from tests.nets import decoder
from tests.train.small import HOW, begun, net


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
    rate = 1e-3 * (step + 1)
    set_rates(training.optimisers, training.groups, rate)
    names = {id(weight): name for name, weight in training.weights.items()}
    rates = {names[id(w)]: table["lr"] for table in training.optimisers[0].param_groups for w in table["params"]}
    for name, found in rates.items():
        if name.startswith("head."):
            assert found == rate * 7.0
        elif name.startswith("encoder.embeddings."):
            assert found == rate * 0.5**3
        else:
            assert found == rate * 0.5 ** (3 - (int(name.split(".")[2]) + 1))


def test_muon_takes_the_matrices_of_the_hidden_layers_alone() -> None:
    model = net()
    groups = group_weights(model, by_depth(model), decay=0.1, kind="muon")
    kinds = {name: group.kind for group in groups for name in group.names}
    assert kinds["encoder.blocks.0.attention.query.weight"] == "muon"
    assert kinds["encoder.blocks.2.feed_forward.down.weight"] == "muon"
    plain = ("embeddings.words.weight", "blocks.0.attention.query.bias", "blocks.0.attention_norm.weight")
    assert {kinds[f"encoder.{name}"] for name in plain} == {"adamw"}
    assert {kind for name, kind in kinds.items() if name.startswith("head.")} == {"adamw"}
    optimisers = make_optimisers(model, groups, 1e-3)
    assert [isinstance(one, Muon) for one in optimisers] == [False, True]
    held = [weight for one in optimisers for table in one.param_groups for weight in table["params"]]
    assert len(held) == len(set(held)) == len(list(model.parameters()))
    set_rates(optimisers, groups, 0.5)
    assert {table["lr"] for one in optimisers for table in one.param_groups} == {0.5}


def test_a_table_of_words_is_never_muons() -> None:
    """Neither where it learns in the seen rows alone, nor where it also predicts."""
    training = begun(how=replace(HOW, optimizer="muon"))
    kinds = {name: group.kind for group in training.groups for name in group.names}
    assert kinds["encoder.embeddings.words.rows"] == "adamw"
    assert "muon" in kinds.values()
    tied = decoder("gpt2")
    assert tied.head.weight is tied.embeddings.words.weight
    groups = group_weights(tied, {name: Pace() for name, _ in tied.named_parameters()}, 0.1, "muon")
    kinds = {name: group.kind for group in groups for name in group.names}
    assert {name for name, kind in kinds.items() if kind == "muon"} == {
        name for name, weight in tied.named_parameters() if name.startswith("blocks.") and weight.ndim == 2
    }


def test_adamw_is_the_published_one() -> None:
    """Three steps against the formula of 1711.05101, in float64 by hand."""
    how = How(rate=0.1, decay=0.5, beta1=0.8, beta2=0.9, epsilon=1e-3)
    model = torch.nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(1.0)
    groups = group_weights(model, {"weight": Pace()}, how.decay)
    optimisers = make_optimisers(model, groups, how.rate, (how.beta1, how.beta2), how.epsilon)
    value, mean, square = 1.0, 0.0, 0.0
    for step, slope in enumerate([0.3, -0.2, 0.7], 1):
        model.weight.grad = torch.tensor([[slope]])
        set_rates(optimisers, groups, how.rate)
        optimisers[0].step()
        mean, square = 0.8 * mean + 0.2 * slope, 0.9 * square + 0.1 * slope**2
        value -= 0.1 * 0.5 * value
        value -= 0.1 * (mean / (1 - 0.8**step)) / (math.sqrt(square / (1 - 0.9**step)) + 1e-3)
        assert model.weight.item() == pytest.approx(value, rel=1e-6)
