"""The weights of a language model that has learnt nothing yet, drawn so that a deep one begins to learn at once."""

import torch
from torch import nn

from dragoman.nn.arch import Arch
from dragoman.nn.encoder import initialise

__all__ = ["fill"]

INTO_STREAM = ("attention.output", "cross.output", "feed_forward.down")
"the matrices whose answer is added to what goes through all blocks"


def fill(net: nn.Module, arch: Arch, seed: int, still: bool = False) -> None:
    """Draw all weights: N(0, initial_std), biases 0, gains 1; what is added to the stream of states is drawn smaller.

    A stack adds to its states as often as it has such matrices, 2 a layer and 3 where it hears another text, so they
    are divided by the root of that number (GPT-2, Radford et al. 2019); with `still` they are 0, and every block begins
    by changing nothing. The same seed gives the same weights: they are drawn on the CPU, whatever the net computes on.
    """
    initialise(net, arch.initial_std, seed)
    for stack in (module for module in net.modules() if hasattr(module, "blocks")):
        named = stack.named_modules()
        into = [module for name, module in named if isinstance(module, nn.Linear) and name.endswith(INTO_STREAM)]
        with torch.no_grad():
            for matrix in into:
                matrix.weight.mul_(0.0 if still else len(into) ** -0.5)
