"""What a tuning put beside the frozen weights, switched off for a while: the policy is then the model it began as.

A second copy of the model is not needed as the reference of an adapter (as in TRL's PPO with PEFT).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from dragoman.train.low_rank import low_rank_modules

__all__ = ["silent"]


@contextmanager
def silent(net: nn.Module) -> Iterator[nn.Module]:
    """The net as it was before it learnt, while the block runs."""
    thin = low_rank_modules(net).values()
    for module in thin:
        module.silent = True
    try:
        yield net
    finally:
        for module in thin:
            module.silent = False
