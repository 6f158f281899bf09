"""The head that says what an answer will be worth, read off the policy's own states; it goes when the training ends."""

from typing import Any

import torch
from torch import nn

from dragoman.train.doors import Pace

__all__ = ["WEIGHTS", "put_critic", "take_critic", "values_of"]

WEIGHTS = {"value.weight": Pace(), "value.bias": Pace()}
"what it learns, by the names it has in the net"


def put_critic(net: Any) -> None:
    """Give the net a head that says 0 everywhere (Huang et al. 2024): it must not push before it has learnt."""
    first = net.embeddings.words.weight
    net.value = nn.Linear(net.arch.width, 1, device=first.device, dtype=torch.float32)
    nn.init.zeros_(net.value.weight)
    nn.init.zeros_(net.value.bias)


def take_critic(net: Any) -> None:
    """The net as it is kept: without the head."""
    net.value = None


def values_of(net: Any, states: torch.Tensor) -> torch.Tensor:
    """What is expected in front of each token, [n, s] of states [n, s, w]; 0 where there is no such head."""
    if getattr(net, "value", None) is None:
        return states.new_zeros(states.shape[:2], dtype=torch.float32)
    said: torch.Tensor = net.value(states)[..., 0].float()
    return said
