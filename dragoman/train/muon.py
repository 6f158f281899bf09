"""Muon: momentum whose every direction is made equally long, for the matrices of the hidden layers.

Jordan et al. 2024 (kellerjordan.github.io/posts/muon); as it stands here in Liu et al. 2025, 2502.16982.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

__all__ = ["Muon", "like", "orthogonalised", "whole"]

QUINTIC = (3.4445, -4.7750, 2.0315)
"a, b, c of a x + b x^3 + c x^5 (Jordan): so steep at 0 that five turns are enough, but it ends near 1 only, not at 1"
FULL = 32
"rows and columns are filled up to a multiple of this: below it, in which order a CPU sums depends on the whole stack"
TINY = 1e-7
"the least length a matrix is divided by: a gradient of 0 moves nothing"
ALIKE = 0.2
"the root mean square of an update, as AdamW's usually is (Liu), so that one rate and one decay serve both"


class Muon(Optimizer):
    """W <- (1 - rate decay) W - rate 0.2 sqrt(max(rows, columns)) O(momentum), O of Newton and Schulz.

    Its whole state is `state[weight]["momentum"]`, float32 in the shape of the weight: a checkpoint of it is tensors
    by name. What a weight becomes depends neither on its group nor on the order of the weights.
    """

    def __init__(
        self,
        weights: Iterable[nn.Parameter] | Iterable[Mapping[str, Any]],
        rate: float,
        decay: float = 0.0,
        momentum: float = 0.95,
        nesterov: bool = True,
        turns: int = 5,
        precision: Literal["bf16", "fp32"] = "bf16",
    ) -> None:
        """`weights` as in any torch optimiser; a group may set its own lr, weight_decay and momentum.

        `turns` and `precision` are those of `orthogonalised`. Raises ValueError for a weight that is no matrix.
        """
        tables: list[Any] = [dict(one) if isinstance(one, Mapping) else one for one in weights]
        super().__init__(tables, {"lr": rate, "weight_decay": decay, "momentum": momentum})
        self.nesterov = nesterov
        self.turns = turns
        self.numbers = torch.bfloat16 if precision == "bf16" else torch.float32
        for weight in (weight for table in self.param_groups for weight in table["params"]):
            if weight.ndim != 2:
                raise ValueError(f"Muon moves matrices alone, not a weight of the shape {tuple(weight.shape)}")

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every weight that has a gradient; the others and their momentum stay."""
        tables = [([w for w in table["params"] if w.grad is not None], table) for table in self.param_groups]
        updates = {}
        for weights, table in tables:
            for weight, update in zip(weights, self._directions(weights, table["momentum"]), strict=True):
                updates[weight] = update
        self._even(updates)
        for weights, table in tables:
            if weights:
                parts = [_local(weight) for weight in weights]
                torch._foreach_mul_(parts, 1.0 - table["lr"] * table["weight_decay"])
                torch._foreach_add_(parts, [updates[weight] for weight in weights], alpha=-table["lr"])

    def _directions(self, weights: Sequence[Tensor], momentum: float) -> Sequence[Tensor]:
        """Where each weight is to go, in its own lengths still: the momentum after this gradient, looked ahead.

        m <- momentum m + (1 - momentum) g. Beside Jordan's sum of gradients this is a factor, which drops out later.
        """
        for weight in weights:
            if not self.state[weight]:
                self.state[weight]["momentum"] = torch.zeros_like(weight, dtype=torch.float32)
        if not weights:
            return ()
        means = [_local(self.state[weight]["momentum"]) for weight in weights]
        slopes = [_local(weight.grad).float() for weight in weights if weight.grad is not None]
        torch._foreach_lerp_(means, slopes, 1.0 - momentum)
        return torch._foreach_lerp(slopes, means, momentum) if self.nesterov else means

    def _even(self, updates: dict[Tensor, Tensor]) -> None:
        """Put in the place of each update its orthogonal form, at AdamW's length.

        Matrices of one shape, lying or standing, are one batched product. Measured on one core in bf16: 0.55 of the
        time of one after the other for 4 blocks of width 128, 0.9 for 6 of width 384. Stacks reach across groups, so
        that no result depends on the grouping.
        """
        stacks: dict[tuple[int, int, torch.device], list[Tensor]] = defaultdict(list)
        for weight, update in updates.items():
            rows, columns = weight.shape
            stacks[min(rows, columns), max(rows, columns), update.device].append(weight)
        for (_, longer, _), weights in stacks.items():
            wholes = [whole(updates[weight], weight) for weight in weights]
            lying = [one.T if one.shape[0] > one.shape[1] else one for one in wholes]
            even = orthogonalised(torch.stack(lying), self.turns, self.numbers).float().mul_(ALIKE * longer**0.5)
            for weight, one in zip(weights, even.unbind(), strict=True):
                updates[weight] = like(one.T if weight.shape[0] > weight.shape[1] else one, weight)


def orthogonalised(
    stack: Float[Tensor, "k r c"], turns: int = 5, numbers: torch.dtype = torch.bfloat16
) -> Float[Tensor, "k r c"]:
    """U V^T of each matrix U S V^T to within a factor: S becomes about 1. The result is of the dtype `numbers`.

    A singular value that is at least 1/500 of the matrix's Frobenius norm ends in [0.6, 1.3]; a smaller one is raised
    3.4445-fold a turn. bf16 is enough, as the iteration pulls what it rounds back to 1. Costs 4 r^2 c + 2 r^3
    multiplications and additions a turn, so give it rows <= columns. No matrix feels which others are in the stack.
    """
    a, b, c = QUINTIC
    rows, columns = stack.shape[1:]
    found = functional.pad(stack.to(numbers), (0, -columns % FULL, 0, -rows % FULL))  # [k, r, c], and zeros stay zeros
    found = found / found.norm(dim=(1, 2), keepdim=True).clamp(min=TINY)  # [k, r, c]
    for _ in range(turns):
        gram = found @ found.mT  # [k, r, r]
        bend = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)  # [k, r, r]
        found = torch.baddbmm(found, bend, found, beta=a)  # [k, r, c]
    return found[:, :rows, :columns]


def whole(part: Tensor, weight: Tensor) -> Tensor:
    """The whole matrix of which `part` is what this process holds; `weight` says how it is shared out (FSDP2)."""
    if not _is_shared(weight):
        return part
    from torch.distributed.tensor import DTensor  # its import takes 1.3 s, and most runs have one process

    assert isinstance(weight, DTensor)
    shared = DTensor.from_local(
        part, weight.device_mesh, weight.placements, run_check=False, shape=weight.shape, stride=weight.stride()
    )
    return shared.full_tensor()


def like(update: Tensor, weight: Tensor) -> Tensor:
    """This process's part of a whole matrix that every process has, shared out as `weight` is; nothing is sent."""
    if not _is_shared(weight):
        return update
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(weight, DTensor)
    return distribute_tensor(update, weight.device_mesh, weight.placements, src_data_rank=None).to_local()


def _is_shared(weight: Tensor) -> bool:
    """Whether a weight is spread over processes (a DTensor)."""
    return hasattr(weight, "device_mesh")


def _local(tensor: Tensor) -> Tensor:
    """The numbers this process holds; what is written there is written in the tensor."""
    held: Tensor = tensor.to_local() if _is_shared(tensor) else tensor  # type: ignore[attr-defined]
    return held
