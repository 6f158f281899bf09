"""The low-rank layer: drawn as its authors draw it, counted, scaled and merged exactly."""

import torch

from dragoman.train.low_rank import LowRank, low_rank_modules


def layer(rank: int = 4, scale: float = 2.0, bias: bool = True) -> LowRank:
    torch.manual_seed(0)
    return LowRank(torch.nn.Linear(12, 7, bias=bias), rank, scale, 0.0, torch.Generator().manual_seed(1))


def test_shapes_and_draw() -> None:
    low = layer()
    assert low.down.shape == (4, 12)
    assert low.up.shape == (7, 4)
    assert bool((low.up == 0).all())
    largest = float(low.down.detach().abs().max())
    assert 0.8 * 12**-0.5 < largest <= 12**-0.5  # kaiming_uniform_(a=sqrt(5)) has the bound 1 / sqrt(in)
    assert not low.whole.weight.requires_grad


def test_the_formula() -> None:
    low = layer()
    low.up.data.normal_()
    states = torch.randn(3, 5, 12)
    expected = low.whole(states) + 2.0 * (states @ low.down.T) @ low.up.T
    assert torch.allclose(low(states), expected, atol=1e-6)


def test_merged() -> None:
    for bias in (True, False):
        low = layer(bias=bias)
        low.up.data.normal_()
        before = low.whole.weight.clone()
        plain = low.merged()
        states = torch.randn(6, 12)
        assert torch.allclose(plain(states), low(states), atol=1e-5)
        assert torch.equal(low.whole.weight, before)  # merged from the original, which stays
        assert (plain.bias is None) == (not bias)
        assert plain.weight.requires_grad


def test_they_are_found_by_name() -> None:
    holder = torch.nn.ModuleDict({"one": layer(), "two": torch.nn.Linear(2, 2)})
    assert list(low_rank_modules(holder)) == ["one"]
