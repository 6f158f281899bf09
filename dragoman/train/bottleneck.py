"""A small network behind a frozen matrix, through which its answer goes once more: the layer of adapters."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Bottleneck"]


class Bottleneck(nn.Module):
    """y = h + U gelu(D h + c) + e with h = W x + b frozen (Houlsby et al. 2019, 1902.00751).

    D is drawn N(0, 0.01), U, c and e are 0: before the first step nothing has changed. There is a bend inside, so that
    no single matrix says the same and it stays beside the model.
    """

    def __init__(self, whole: nn.Linear, width: int, dice: torch.Generator) -> None:
        super().__init__()
        self.whole = whole.requires_grad_(False)
        size = whole.out_features
        self.down = nn.Parameter(torch.empty(width, size).normal_(0.0, 0.01, generator=dice).to(whole.weight))
        "D, [m, out]"
        self.down_bias = nn.Parameter(torch.zeros(width).to(whole.weight))
        "c, [m]"
        self.up = nn.Parameter(torch.zeros(size, width).to(whole.weight))
        "U, [out, m]"
        self.up_bias = nn.Parameter(torch.zeros(size).to(whole.weight))
        "e, [out]"

    def forward(self, states: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        """What the frozen matrix says, and what the small network makes of it on top."""
        said: Tensor = self.whole(states)  # [..., out]
        narrow = functional.gelu(functional.linear(said, self.down, self.down_bias))  # [..., m]
        return said + functional.linear(narrow, self.up, self.up_bias)
