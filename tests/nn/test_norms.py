"""Norms against their formulas, and where their precision comes from."""

import pytest
import torch
from torch import nn

from dragoman.nn.norms import RmsNorm, make_norm
from tests.nets import shape


@pytest.mark.parametrize(("shift", "dtype", "most"), [(0.0, torch.float64, 1e-12), (1.0, torch.float32, 1e-5)])
def test_rms_norm_is_its_formula(shift: float, dtype: torch.dtype, most: float) -> None:
    torch.manual_seed(0)
    net = RmsNorm(16, 1e-3, shift)
    nn.init.normal_(net.weight)
    states = torch.randn(2, 3, 16, dtype=torch.float64)
    expected = states / (states.pow(2).mean(-1, keepdim=True) + 1e-3).sqrt() * (shift + net.weight.double())
    assert (net.to(dtype)(states.to(dtype)) - expected).abs().max() < most


def test_a_small_distance_from_one_is_not_lost_in_bf16() -> None:
    net = RmsNorm(256, 0.0, shift=1.0)
    nn.init.constant_(net.weight, 2**-9)  # 1 + 2^-9 is 1 in bf16
    net = net.to(torch.bfloat16)
    states = torch.randn(64, 256, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    moved = net(states)
    nn.init.zeros_(net.weight)
    assert moved.dtype == torch.bfloat16
    assert 0.2 < float((moved != net(states)).float().mean()) < 0.8  # about half of the last bits


def test_a_fresh_norm_has_gains_of_one() -> None:
    states = torch.tensor([[3.0, 4.0]])
    for shift in (0.0, 1.0):
        assert torch.allclose(RmsNorm(2, 0.0, shift)(states), states / 12.5**0.5)


def test_the_mean_of_small_squares_is_not_lost_in_bf16() -> None:
    net = RmsNorm(512, 0.0).to(torch.bfloat16)
    states = torch.full((1, 512), 3e-3, dtype=torch.bfloat16)
    states[0, 0] = 1.0
    found, exact = net(states), RmsNorm(512, 0.0)(states.float())
    assert found.dtype == torch.bfloat16
    assert ((found.float() - exact).abs() <= exact.abs() * 2**-8).all()


def test_a_shape_says_which_norm() -> None:
    rms, layer = make_norm(shape("gemma"), 32), make_norm(shape("gpt2"))
    assert isinstance(rms, RmsNorm)
    assert (rms.weight.shape, rms.shift, rms.eps) == ((32,), 1.0, 1e-5)
    assert isinstance(layer, nn.LayerNorm)
    assert (layer.normalized_shape, layer.eps) == ((64,), 1e-5)
