"""A frozen matrix with a thin learning one beside it: the layer of LoRA and of DoRA, and its merge."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from dragoman.nn.adapter import changed_weight
from dragoman.train.anatomy import chosen, freeze, put
from dragoman.train.quantised import FourBitLinear

__all__ = ["LowRank", "low_rank_modules", "merge_low_rank", "put_low_rank"]


class _Beside(torch.autograd.Function):
    """W x + b + B A x s with a frozen W, each state read once a product and nothing wide made that is not given back.

    Of 1,024 states, 512 wide, rank 8, forward and backward on one core in float32: 12.3 ms with a frozen W alone, 14.2
    with this beside it, 16.7 with the same sum written out, and 18.5 where W learns.
    """

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor, scale: float
    ) -> Tensor:
        flat = states.reshape(-1, states.shape[-1])  # [n, in]
        thin = functional.linear(flat, down).mul_(scale)  # [n, r]; scaled here, where it is thin
        said = functional.linear(flat, weight, bias).addmm_(thin, up.t())  # [n, out]
        ctx.save_for_backward(flat, thin, weight, down, up)
        ctx.scale = scale
        return said.view(*states.shape[:-1], len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        flat, thin, weight, down, up = ctx.saved_tensors
        slope = outer.reshape(-1, outer.shape[-1])  # [n, out]
        pulled = functional.linear(slope, up.t().contiguous()).mul_(ctx.scale)  # [n, r]
        for_down = pulled.t() @ flat  # [r, in]
        for_up = (thin.t() @ slope).t()  # [out, r]; this way round a third of the time
        for_states = None
        if ctx.needs_input_grad[0]:  # not in the lowest block, whose words do not learn
            for_states = (slope @ weight).addmm_(pulled, down).view(*outer.shape[:-1], down.shape[1])
        return for_states, None, None, for_down, for_up, None


class LowRank(nn.Module):
    """y = W x + scale * B A x, in which W is frozen (LoRA, Hu et al. 2021, 2106.09685).

    A is drawn as in the authors' code (Kaiming uniform, a = sqrt 5), B is 0: before the first step nothing has changed.

    Decomposed, length and direction learn apart: y = m / |W + scale * B A| * (W x + scale * B A x) (DoRA, Liu et al.
    2024, 2402.09353). The length is that of a row of W, which makes one output: a column where the paper writes W
    turned. It is no part of the gradient (the paper's section 4.3).
    """

    def __init__(
        self,
        whole: nn.Linear | FourBitLinear,
        rank: int,
        scale: float,
        dropout: float,
        dice: torch.Generator,
        decomposed: bool = False,
    ) -> None:
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
        self.magnitude = nn.Parameter(self._lengths()) if decomposed else None
        "m, [out], where it is decomposed: at first the length of each row of W, so that nothing has changed"
        self.silent = False
        "whether what was learnt is left out for now (see train.silence)"

    def forward(self, states: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        """What the frozen matrix says, and what was learnt on top of it."""
        if self.silent:
            frozen: Tensor = self.whole(states)  # [..., out]
            return frozen
        if self.magnitude is not None:
            return self._decomposed(states, self.magnitude)
        dropped = self.training and self.dropout.p > 0  # the thin part then reads other states than the frozen one
        if dropped or isinstance(self.whole, FourBitLinear):  # whose matrix in full is not to be kept
            said: Tensor = self.whole(states)  # [..., out]
            thin = functional.linear(self.dropout(states), self.down) * self.scale  # [..., r]
            return said + functional.linear(thin, self.up)
        whole, scale = self.whole, self.scale
        found: Tensor = _Beside.apply(states, whole.weight, whole.bias, self.down, self.up, scale)  # type: ignore[no-untyped-call]
        return found

    def merged(self) -> nn.Linear:
        """One plain matrix that says the same, summed in float64 from the untouched W.

        In bf16 the sum would lose 1.2 % of what was learnt.
        """
        weight = self.whole.weight
        total = changed_weight(weight, self.down, self.up, self.scale, self.magnitude)
        plain = nn.Linear(self.whole.in_features, self.whole.out_features, self.whole.bias is not None, weight.device)
        plain.weight = nn.Parameter(total)
        if self.whole.bias is not None:
            plain.bias = self.whole.bias
        return plain.requires_grad_(True)

    def _decomposed(self, states: Tensor, magnitude: Tensor) -> Tensor:
        gain = magnitude / self._lengths()  # [out]
        said: Tensor = self.whole(states) * gain  # [..., out]
        thin = functional.linear(self.dropout(states), self.down)  # [..., r]
        said = said + functional.linear(thin, self.up * (self.scale * gain)[:, None])  # [..., out]
        return said if self.whole.bias is None else said + (1.0 - gain) * self.whole.bias

    @torch.no_grad()
    def _lengths(self) -> Tensor:
        total = torch.addmm(self.whole.weight, self.up, self.down, alpha=self.scale)  # [out, in]
        lengths: Tensor = torch.linalg.vector_norm(total, dim=1)  # [out]
        return lengths


def low_rank_modules(net: nn.Module) -> dict[str, LowRank]:
    """Every such layer of a net by its name."""
    return {name: module for name, module in net.named_modules() if isinstance(module, LowRank)}


def put_low_rank(
    net: nn.Module,
    where: Iterable[str],
    tuning: str,
    rank: int,
    scale: float,
    dropout: float,
    seed: int,
    decomposed: bool = False,
) -> None:
    """Freeze a net but for its fresh parts and set such a layer in the place of each matrix that `where` names.

    Raises UserError where a name matches none; nothing is touched then.
    """
    wanted = chosen(net, where, tuning)
    freeze(net)
    dice = torch.Generator().manual_seed(seed)
    for name, whole in wanted.items():
        put(net, name, LowRank(whole, rank, scale, dropout, dice, decomposed))


def merge_low_rank(net: nn.Module) -> None:
    """Set the plain matrix in the place of each such layer."""
    for name, module in low_rank_modules(net).items():
        put(net, name, module.merged())
