"""The low-rank layer: drawn as its authors draw it, counted, scaled and merged exactly."""

import pytest
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


@pytest.mark.parametrize("bias", [True, False])
def test_gradients_are_those_of_the_sum_written_out(bias: bool) -> None:
    low = layer(bias=bias).double()
    low.up.data.normal_()
    states, pull = torch.randn(3, 5, 12).double().requires_grad_(True), torch.randn(3, 5, 7).double()
    (low(states) * pull).sum().backward()
    found = (states.grad, low.down.grad, low.up.grad)
    other, down, up = (each.detach().clone().requires_grad_(True) for each in (states, low.down, low.up))
    ((low.whole(other) + 2.0 * (other @ down.T) @ up.T) * pull).sum().backward()
    for ours, theirs in zip(found, (other.grad, down.grad, up.grad), strict=True):
        assert ours is not None
        assert torch.allclose(ours, theirs, atol=1e-12)
    assert low.whole.weight.grad is None


def test_states_that_do_not_learn_get_no_gradient() -> None:
    low, states = layer(), torch.randn(4, 12)
    low(states).sum().backward()
    assert states.grad is None
    assert low.down.grad is not None
    assert low(torch.zeros(0, 12)).shape == (0, 7)


def test_dropout_reaches_the_thin_part_alone() -> None:
    low = LowRank(torch.nn.Linear(12, 7), 4, 2.0, 0.5, torch.Generator().manual_seed(1)).train()
    states = torch.randn(4, 12)
    assert torch.equal(low(states), low.whole(states))  # B is 0: what is dropped cannot be heard
    low.up.data.normal_()
    assert not torch.equal(low(states), low(states))
    assert torch.equal(low.eval()(states), low(states))


def test_decomposed_rows_have_the_learnt_lengths() -> None:
    low = LowRank(torch.nn.Linear(12, 7), 4, 2.0, 0.0, torch.Generator().manual_seed(1), decomposed=True)
    assert low.magnitude is not None
    states = torch.randn(5, 12)
    assert torch.equal(low.magnitude, low.whole.weight.norm(dim=1))
    assert torch.equal(low(states), low.whole(states))
    low.up.data.normal_()
    low.magnitude.data.uniform_(0.5, 2)
    plain = low.merged()
    assert torch.allclose(plain.weight.norm(dim=1), low.magnitude, rtol=1e-6)
    assert torch.allclose(plain(states), low(states), atol=1e-5)


def test_the_length_is_no_part_of_a_decomposed_gradient() -> None:
    """Liu et al. 2024, section 4.3: the gradient of B is that of gain * scale * B A x with a constant gain."""
    low = LowRank(torch.nn.Linear(12, 7), 4, 2.0, 0.0, torch.Generator().manual_seed(1), decomposed=True).double()
    assert low.magnitude is not None
    low.up.data.normal_()
    states = torch.randn(5, 12).double()
    low(states).sum().backward()
    lengths = (low.whole.weight + 2.0 * low.up @ low.down).norm(dim=1).detach()
    gain = (low.magnitude / lengths).detach()
    assert low.up.grad is not None
    assert torch.allclose(low.up.grad, gain[:, None] * 2.0 * (states @ low.down.T).sum(0)[None], atol=1e-10)
    whole = states @ low.whole.weight.T + 2.0 * states @ low.down.T @ low.up.T
    assert low.magnitude.grad is not None
    assert torch.allclose(low.magnitude.grad, (whole / lengths).sum(0), atol=1e-10)
