"""Matrices kept in four bits a number (NF4), which stay as they are while thin ones learn beside them."""

import copy
import logging
import sys
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from dragoman.core.errors import UserError
from dragoman.train.anatomy import matrices, put

__all__ = ["BLOCK", "FourBitLinear", "dense", "four_bit_modules", "merge_onto", "quantise"]

BLOCK = 64
"numbers that share a scale"
_OUTER = 256
"scales that share a scale of their own"
_KIND = "nf4"


class FourBitLinear(nn.Module):
    """A frozen linear layer in NF4 (QLoRA, Dettmers et al. 2023, 2305.14314): 4.127 bits a number.

    Each number is one of sixteen quantiles of the normal distribution times the largest of its 64; those scales are
    eight bits each, with one scale for 256 of them, their mean left out (double quantisation). The product is done in
    the precision of the states; the matrix in full is made for it and forgotten, forward and back.

    Numbers that are no weights are held as whole numbers, bit for bit: a working copy in bf16 casts every float.
    """

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__()
        bits = _library()
        self.in_features, self.out_features = plain.in_features, plain.out_features
        weight = plain.weight.detach().float()
        if self.in_features % 2:  # two numbers share a byte: bitsandbytes compiles a kernel, for seconds, for odd rows
            weight = functional.pad(weight.flatten(), (0, weight.numel() % 2))
        packed, state = bits.quantize_4bit(weight, blocksize=BLOCK, compress_statistics=True, quant_type=_KIND)
        self.register_buffer("packed", packed)
        self.register_buffer("scales", state.absmax)
        self.register_buffer("outer", _as_bits(state.state2.absmax))
        self.register_buffer("steps", _as_bits(state.state2.code), persistent=False)
        self.register_buffer("mean", _as_bits(state.offset))
        self.packed: Tensor
        self.scales: Tensor
        self.outer: Tensor
        self.steps: Tensor
        self.mean: Tensor
        self.bias: nn.Parameter | None = plain.bias

    @property
    def weight(self) -> Float[Tensor, "o i"]:
        """The matrix in full, in float32, made anew at every asking."""
        return self.dense(torch.float32)

    @property
    def bytes(self) -> int:
        """What the matrix takes: its four bits, their scales, and the scales of those."""
        held = (self.packed, self.scales, self.outer, self.mean)
        return sum(each.numel() * each.element_size() for each in held)

    def dense(self, dtype: torch.dtype) -> Float[Tensor, "o i"]:
        """The matrix in full."""
        bits = _library()
        outer = bits.QuantState(
            absmax=self.outer.view(torch.float32),
            code=self.steps.view(torch.float32),
            blocksize=_OUTER,
            dtype=torch.float32,
        )
        size = self.out_features * self.in_features
        odd = self.in_features % 2 == 1
        state = bits.QuantState(
            absmax=self.scales,
            shape=torch.Size((size + size % 2,) if odd else (self.out_features, self.in_features)),
            blocksize=BLOCK,
            quant_type=_KIND,
            dtype=dtype,
            offset=self.mean.view(torch.float32),
            state2=outer,
        )
        made: Tensor = bits.dequantize_4bit(self.packed, state)  # [o, i], or all numbers in a row
        return made.flatten()[:size].view(self.out_features, self.in_features) if odd else made

    def forward(self, states: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        """W x + bias."""
        if not states.requires_grad:
            return functional.linear(states, self.dense(states.dtype), self.bias)
        said: Tensor = _Product.apply(states, self)  # type: ignore[no-untyped-call]
        return said if self.bias is None else said + self.bias

    def plain(self) -> nn.Linear:
        """The same as an ordinary layer in float32."""
        made = nn.Linear(self.in_features, self.out_features, self.bias is not None, self.packed.device)
        made.weight = nn.Parameter(self.weight)
        made.bias = self.bias  # type: ignore[assignment]
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> nn.Module:
        """A copy that shares what never changes: two nets, the one that learns and the one that computes, hold it once.

        The bias is its own: it is cast.
        """
        twin = copy.copy(self)
        twin._buffers, twin._modules = dict(self._buffers), {}
        twin._parameters = {name: copy.deepcopy(weight, memo) for name, weight in self._parameters.items()}
        memo[id(self)] = twin
        return twin


class _Product(torch.autograd.Function):
    """W x for a W in four bits; the gradient makes W in full once more instead of keeping it."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, layer: FourBitLinear) -> Tensor:
        ctx.layer = layer
        return functional.linear(states, layer.dense(states.dtype))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None]:
        return outer @ ctx.layer.dense(outer.dtype), None


def quantise(net: nn.Module) -> None:
    """Keep every matrix of the blocks in four bits, from now on; what is new in the net, as a head, stays as it is.

    Raises UserError where bitsandbytes is not installed; nothing is touched then.
    """
    _library()
    for name, plain in matrices(net).items():
        put(net, name, FourBitLinear(plain))


def dense(net: nn.Module) -> None:
    """Set the ordinary layer, as it was rounded, in the place of each one in four bits."""
    for name, layer in four_bit_modules(net).items():
        put(net, name, layer.plain())


def four_bit_modules(net: nn.Module) -> dict[str, FourBitLinear]:
    """Every layer in four bits by its name."""
    return {name: module for name, module in net.named_modules() if isinstance(module, FourBitLinear)}


def merge_onto(learnt: nn.Module, original: nn.Module) -> nn.Module:
    """The original net with what was learnt beside its rounded copy `learnt` added to it, in float64.

    The matrices are those of before the rounding and are not rounded again; all else is as it was learnt. Raises
    UserError where the original is not the net that was rounded: its matrices must give the same four bits.
    """
    from dragoman.train.low_rank import low_rank_modules

    thin, plain = low_rank_modules(learnt), matrices(original)
    for name, layer in four_bit_modules(learnt).items():
        place = name.removesuffix(".whole")
        if place not in plain or not _rounds_to(plain[place], layer):
            raise UserError(
                f"the original model is not the one that was rounded and trained: {place} is another",
                "give the folder it was trained from in tuning.base",
            )
        if place in thin:
            thin[place].whole = plain[place]
        else:
            put(learnt, place, plain[place])
    for name, module in thin.items():
        put(learnt, name, module.merged())
    return learnt


def _rounds_to(plain: nn.Linear, layer: FourBitLinear) -> bool:
    if (plain.out_features, plain.in_features) != (layer.out_features, layer.in_features):
        return False
    again = FourBitLinear(copy.deepcopy(plain).to(layer.packed.device))
    return torch.equal(again.packed, layer.packed) and torch.equal(again.scales, layer.scales)


def _as_bits(numbers: Tensor) -> Tensor:
    return numbers.detach().float().reshape(-1).view(torch.int32)


def _library() -> Any:
    """bitsandbytes' functions. Raises UserError where it is not installed.

    Its import would fetch a kernel from a hub and run it where the package `kernels` is installed, and warn where it is
    not: nobody asked for that, so it does not see the package.
    """
    if "bitsandbytes" not in sys.modules:
        missing = object()
        before = sys.modules.get("kernels", missing)
        sys.modules["kernels"] = None  # type: ignore[assignment]
        log = logging.getLogger("bitsandbytes.backends.cpu.ops")
        level = log.level
        log.setLevel(logging.ERROR)
        try:
            import bitsandbytes  # noqa: F401
        except ImportError:
            raise UserError(
                "four-bit matrices need bitsandbytes, which is not installed", 'pip install "dragoman[quant]"'
            ) from None
        finally:
            log.setLevel(level)
            del sys.modules["kernels"]
            if before is not missing:
                sys.modules["kernels"] = before  # type: ignore[assignment]
    import bitsandbytes.functional as functions

    return functions
