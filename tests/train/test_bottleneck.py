"""The layer of adapters: a bend behind a frozen matrix, silent at first."""

import torch
from torch.nn import functional

from dragoman.train.bottleneck import Bottleneck


def layer(width: int = 3) -> Bottleneck:
    torch.manual_seed(0)
    return Bottleneck(torch.nn.Linear(12, 7), width, torch.Generator().manual_seed(1))


def test_it_is_silent_at_first_and_counted() -> None:
    made, states = layer(), torch.randn(2, 12)
    assert torch.equal(made(states), made.whole(states))
    learning = sum(weight.numel() for weight in made.parameters() if weight.requires_grad)
    assert learning == 2 * 7 * 3 + 3 + 7
    assert 0 < float(made.down.detach().abs().max()) < 0.06  # N(0, 0.01)


def test_the_formula() -> None:
    made, states = layer(), torch.randn(2, 5, 12)
    for weight in (made.down, made.down_bias, made.up, made.up_bias):
        weight.data.normal_()
    said = made.whole(states)
    narrow = functional.gelu(said @ made.down.T + made.down_bias)
    assert torch.allclose(made(states), said + narrow @ made.up.T + made.up_bias, atol=1e-6)


def test_the_draw_follows_the_generator() -> None:
    assert torch.equal(layer().down, layer().down)
