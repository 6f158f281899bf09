"""Blocks that keep nothing but what came in, and run again when the gradients want the rest (Chen et al. 2016)."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

__all__ = ["run_block"]


def run_block(block: nn.Module, recompute: bool, states: Tensor, *told: Any) -> Tensor:
    """What the block makes of the states, `told` being the rest of its arguments in their order.

    With `recompute` its inside is forgotten and computed once more on the way back: a third more time, and of the
    memory a block's input. What dropout drew is drawn again. Where no gradient is asked there is nothing to forget.
    """
    if recompute and torch.is_grad_enabled() and (block.training or _passes_on(block, states)):
        again: Tensor = checkpoint(block, states, *told, use_reentrant=False, preserve_rng_state=True)
        return again
    found: Tensor = block(states, *told)
    return found


def _passes_on(block: nn.Module, states: Tensor) -> bool:
    """Whether a block that does not learn itself, and so is in evaluation mode, stands above something that does."""
    return states.requires_grad and not any(weight.requires_grad for weight in block.parameters())
