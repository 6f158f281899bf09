"""The running average follows the weights, stands in for them while a block runs, and leaves them as they were."""

import torch
from torch import nn

from dragoman.train.average import averaged, begin_average, follow


def _weights() -> dict[str, nn.Parameter]:
    return {"a": nn.Parameter(torch.tensor([1.0, 2.0])), "b": nn.Parameter(torch.tensor([[3.0]]))}


def test_it_is_the_exponential_average_once_it_is_old() -> None:
    weights = _weights()
    average = begin_average(weights, 0.9)
    wanted = {name: weight.detach().clone() for name, weight in weights.items()}
    for step in range(1, 200):
        with torch.no_grad():
            for weight in weights.values():
                weight.add_(0.1)
        follow(average, weights, 0.9, step)
        kept = min(0.9, (1 + step) / (10 + step))
        for name, weight in weights.items():
            wanted[name] = wanted[name] * kept + weight.detach() * (1 - kept)
    for name in weights:
        torch.testing.assert_close(average[name], wanted[name])


def test_the_weights_come_back_bit_for_bit() -> None:
    weights = _weights()
    average = begin_average(weights, 0.5)
    with torch.no_grad():
        weights["a"].add_(1 / 3)
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    with averaged(average, weights):
        assert torch.equal(weights["a"], torch.tensor([1.0, 2.0]))
    assert all(torch.equal(weights[name], before[name]) for name in weights)


def test_no_average_changes_nothing() -> None:
    weights = _weights()
    average = begin_average(weights, 0.0)
    follow(average, weights, 0.0, 1)
    assert average == {}
    with averaged(average, weights):
        assert torch.equal(weights["a"], torch.tensor([1.0, 2.0]))
