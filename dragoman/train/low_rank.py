"""A frozen matrix with a thin learning one beside it: LoRA's layer."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["LowRank", "low_rank_modules"]


class LowRank(nn.Module):
    """y = W x + scale * B A x, in which W is frozen (LoRA, Hu et al. 2021, 2106.09685).

    A is drawn as in the authors' code (Kaiming uniform, a = sqrt 5), B is 0: before the first step nothing has changed.
    """

    def __init__(self, whole: nn.Linear, rank: int, scale: float, dropout: float, dice: torch.Generator) -> None:
        super().__init__()
        self.whole = whole.requires_grad_(False)
        self.scale = scale
        self.dropout = nn.Dropout(dropout)
        down = torch.empty(rank, whole.in_features)
        bound = math.sqrt(6.0 / ((1.0 + 5.0) * whole.in_features))  # kaiming_uniform_(a=sqrt(5))
        down.uniform_(-bound, bound, generator=dice)
        self.down = nn.Parameter(down.to(whole.weight))
        "A, [r, in]"
        self.up = nn.Parameter(torch.zeros(whole.out_features, rank).to(whole.weight))
        "B, [out, r]"

    def forward(self, states: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        """What the frozen matrix says, and what was learnt on top of it."""
        thin = functional.linear(self.dropout(states), self.down)  # [..., r]
        learnt = functional.linear(thin, self.up)  # [..., out]
        said: Tensor = self.whole(states)  # [..., out]
        return said + learnt * self.scale

    def merged(self) -> nn.Linear:
        """One plain matrix that says the same: W + scale * B A, summed in float64 from the untouched W.

        In bf16 the sum would lose 1.2 % of what was learnt.
        """
        weight = self.whole.weight
        with torch.no_grad():
            learnt = self.scale * (self.up.double() @ self.down.double())
            total = (weight.double() + learnt).to(weight.dtype)
        plain = nn.Linear(self.whole.in_features, self.whole.out_features, self.whole.bias is not None, weight.device)
        plain.weight = nn.Parameter(total)
        plain.bias = self.whole.bias
        return plain.requires_grad_(True)


def low_rank_modules(net: nn.Module) -> dict[str, LowRank]:
    """Every such layer of a net by its name."""
    return {name: module for name, module in net.named_modules() if isinstance(module, LowRank)}
