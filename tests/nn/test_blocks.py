"""A block adds, then normalises; its bend is the one that was asked for."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from dragoman.nn.attention import Sight
from dragoman.nn.blocks import Block, FeedForward
from tests.nn.tiny import ARCHES

ARCH = ARCHES["bert"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gelu", functional.gelu),
        ("gelu_tanh", lambda states: functional.gelu(states, approximate="tanh")),
        ("relu", functional.relu),
        ("silu", functional.silu),
    ],
)
def test_the_bend(name: str, expected: object) -> None:
    net = FeedForward(replace(ARCH, activation=name))
    states = torch.linspace(-4, 4, 2 * 3 * ARCH.width).view(2, 3, ARCH.width)
    assert torch.equal(net(states), net.down(expected(net.up(states))))  # type: ignore[operator]


def test_a_block_ends_normalised() -> None:
    torch.manual_seed(0)
    out = Block(ARCH).eval()(torch.randn(2, 5, ARCH.width), Sight())
    assert out.mean(2).abs().max() < 1e-5
    assert (out.var(2, unbiased=False) - 1).abs().max() < 1e-4


def test_wanted_rows_are_the_same_rows() -> None:
    torch.manual_seed(0)
    net, states = Block(ARCH).eval(), torch.randn(2, 5, ARCH.width)
    assert (net(states, Sight(), wanted=1) - net(states, Sight())[:, :1]).abs().max() < 1e-5
