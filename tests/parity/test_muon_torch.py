"""Muon against torch.optim.Muon with equal settings: the same weights to the rounding of what each multiplies."""

import pytest
import torch
from torch import nn

from dragoman.train.muon import Muon

SHAPES = ((32, 32), (32, 32), (96, 32), (32, 96), (20, 50), (50, 20), (1, 8))


def weights() -> list[nn.Parameter]:
    """The same each time."""
    dice = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=dice)) for shape in SHAPES]


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize(("momentum", "decay", "turns"), [(0.95, 0.1, 5), (0.8, 0.0, 3)])
def test_the_same_walk(nesterov: bool, momentum: float, decay: float, turns: int) -> None:
    """Each of ten steps is within 2 % of the length of theirs: bf16 rounds the turns of the two differently."""
    ours, theirs = weights(), weights()
    mine = Muon(ours, 0.02, decay, momentum, nesterov, turns)
    other = torch.optim.Muon(
        theirs,
        0.02,
        weight_decay=decay,
        momentum=momentum,
        nesterov=nesterov,
        ns_steps=turns,
        adjust_lr_fn="match_rms_adamw",
    )
    dice = torch.Generator().manual_seed(1)
    for _ in range(10):
        before = [weight.detach().clone() for weight in theirs]
        for one, same in zip(ours, theirs, strict=True):
            with torch.no_grad():
                one.copy_(same)
            one.grad = torch.randn(one.shape, generator=dice)
            same.grad = one.grad.clone()
        mine.step()
        other.step()
        for one, same, start in zip(ours, theirs, before, strict=True):
            walked = float((same.detach() - start).norm())
            assert float((one.detach() - same.detach()).norm()) <= 0.02 * walked, tuple(one.shape)
            torch.testing.assert_close(
                mine.state[one]["momentum"], other.state[same]["momentum_buffer"], rtol=1e-6, atol=1e-7
            )
