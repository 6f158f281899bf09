"""A frozen matrix whose inputs or outputs are multiplied by numbers that learn: the layer of IA3."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dragoman.train.anatomy import put

__all__ = ["Rescaled", "merge_rescaled", "rescaled_modules"]


class Rescaled(nn.Module):
    """y = gain * (W x + b), or W (gain * x) + b where the gain is of what comes in, with frozen W and b.

    (IA3, Liu et al. 2022, 2205.05638.) Every gain is 1 at first: before the first step nothing has changed.
    """

    def __init__(self, whole: nn.Linear, entering: bool) -> None:
        super().__init__()
        self.whole = whole.requires_grad_(False)
        self.entering = entering
        size = whole.in_features if entering else whole.out_features
        self.gain = nn.Parameter(torch.ones(size).to(whole.weight))
        "[in] or [out]"

    def forward(self, states: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        """What the frozen matrix says of the rescaled states, or its answer rescaled."""
        said: Tensor = self.whole(states * self.gain if self.entering else states)  # [..., out]
        return said if self.entering else said * self.gain

    def merged(self) -> nn.Linear:
        """One plain matrix that says the same, multiplied in float64 from the untouched W."""
        whole, gain = self.whole, self.gain.detach().double()
        weight, bias = whole.weight.detach().double(), whole.bias
        plain = nn.Linear(whole.in_features, whole.out_features, bias is not None, whole.weight.device)
        plain.weight = nn.Parameter((weight * (gain if self.entering else gain[:, None])).to(whole.weight.dtype))
        if bias is not None:
            changed = bias.detach().double() if self.entering else bias.detach().double() * gain
            plain.bias = nn.Parameter(changed.to(bias.dtype))
        return plain


def rescaled_modules(net: nn.Module) -> dict[str, Rescaled]:
    """Every such layer of a net by its name."""
    return {name: module for name, module in net.named_modules() if isinstance(module, Rescaled)}


def merge_rescaled(net: nn.Module) -> None:
    """Set the plain matrix in the place of each such layer."""
    for name, module in rescaled_modules(net).items():
        put(net, name, module.merged())
