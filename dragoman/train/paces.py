"""Layer-wise decay: the nearer a weight stands to the words, the slower it learns."""

from collections.abc import Mapping

from torch import nn

from dragoman.train.anatomy import blocks, levels
from dragoman.train.doors import Pace

__all__ = ["by_depth"]


def by_depth(net: nn.Module, decay: float = 1.0, head: float = 1.0) -> Mapping[str, Pace]:
    """The pace of each weight that learns: decay ** (L - l) on level l of L, and `head` for a fresh head.

    Layer-wise decay as in ULMFiT (Howard and Ruder 2018) and ELECTRA (Clark et al. 2020). A fresh head at the rate of
    the body would still be guessing when the body has already moved. See `train.anatomy.levels`.
    """
    top, found = len(blocks(net)), levels(net)
    return {
        name: Pace(head if found[name] > top else decay ** (top - found[name]))
        for name, weight in net.named_parameters()
        if weight.requires_grad
    }
