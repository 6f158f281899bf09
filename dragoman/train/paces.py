"""Layer-wise decay: the nearer a weight stands to the words, the slower it learns."""

import re
from collections.abc import Mapping

from dragoman.nn.heads import Classifier
from dragoman.train.doors import Pace

__all__ = ["by_depth", "depth"]

BLOCK = re.compile(r"encoder\.blocks\.(\d+)\.")


def depth(name: str, layers: int) -> int:
    """On which layer a weight stands: 0 the words, 1 the lowest block, `layers` the highest, and the head above it."""
    if name.startswith("head."):
        return layers + 1
    block = BLOCK.match(name)
    return int(block[1]) + 1 if block else 0


def by_depth(net: Classifier, decay: float = 1.0, head: float = 1.0) -> Mapping[str, Pace]:
    """The pace of each weight that learns: decay ** (L - l) on layer l of L, and `head` for the head.

    Layer-wise decay as in ULMFiT (Howard and Ruder 2018) and ELECTRA (Clark et al. 2020). A fresh head at the rate of
    the body would still be guessing when the body has already moved.
    """
    layers = net.arch.layers
    paces = {}
    for name, weight in net.named_parameters():
        if weight.requires_grad:
            level = depth(name, layers)
            paces[name] = Pace(head if level > layers else decay ** (layers - level))
    return paces
