"""Matrices laid out for answering: fused where several read the same states, packed for the CPU, or kept in eight bits.

Measured on a core with AVX-512 (768 x 6,144, microseconds for 1 and for 16 tokens): torch's own fp32 335 and 2,466,
packed 251 and 799; bf16 271 and 504, packed 119 and 342; eight bits 118 and 979; both sides in eight bits 59 and 188.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.linalg import vector_norm
from torch.nn.functional import linear

from dragoman.nn.blocks import Block, FeedForward
from dragoman.nn.norms import RmsNorm

__all__ = ["DynamicLinear", "EightBitLinear", "PackedLinear", "PackedNorm", "Weights", "pack"]

Weights = Literal["fp32", "bf16", "int8", "int8_dynamic"]

_TINY = 100_000  # numbers below which a matrix stays in the cache anyway, and laying it out costs 8 ms at the start
_STEP = 32  # the eight-bit kernel reads so many numbers at once, past the end of a row with fewer left (torch 2.13)


class PackedLinear(nn.Module):
    """A linear layer whose matrix oneDNN has laid out for this CPU, in fp32 or bf16: the same numbers, sooner."""

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__()
        self.out_features = plain.out_features
        self._packed = torch.ops.mkldnn._reorder_linear_weight(plain.weight.detach())
        self._bias = _bias(plain, plain.weight.dtype)

    def forward(self, states: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        """states W^T + bias."""
        out: Tensor = torch.ops.mkldnn._linear_pointwise(states, self._packed, self._bias, "none", [], "")
        return out  # [..., o]


class EightBitLinear(nn.Module):
    """A linear layer whose weights are whole numbers of eight bits, with one scale a row; states stay bf16.

    Rounding to the nearest of 255 steps of the row's largest weight (Dettmers et al. 2022, without outliers). A quarter
    of the memory of fp32, and of what must be read for one token.
    """

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__()
        numbers, scales = _rounded(plain.weight.detach(), torch.bfloat16)  # [o, i], [o]
        self.out_features = plain.out_features
        self.register_buffer("numbers", numbers)
        self.register_buffer("scales", scales)
        self.register_buffer("bias", _bias(plain, torch.bfloat16))
        self.numbers: Tensor
        self.scales: Tensor
        self.bias: Tensor | None

    def forward(self, states: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        """states W^T + bias."""
        rows = states.reshape(-1, states.shape[-1])  # [r, i]
        # By tokens a text and not by rows in all: the two round differently, and a text must not feel its batch.
        writes = states.ndim == 2 or states.shape[1] == 1
        if states.device.type == "cpu" and writes and rows.shape[1] % _STEP == 0:
            out = torch.ops.aten._weight_int8pack_mm(rows, self.numbers, self.scales)  # [r, o]
        else:
            out = linear(rows, self.numbers.to(rows.dtype)) * self.scales  # [r, o]
        if self.bias is not None:
            out = out + self.bias  # [r, o]
        shaped: Tensor = out.view(*states.shape[:-1], self.out_features)  # [..., o]
        return shaped


class DynamicLinear(nn.Module):
    """As above, and the states are rounded to eight bits too, each token's anew with its own step: fastest on a CPU.

    One number of a token far larger than its others coarsens them all, so some models lose quality: measure the task.
    """

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__()
        numbers, self._scales = _rounded(plain.weight.detach())  # [o, i], [o]
        self.out_features = plain.out_features
        self._zeros = torch.zeros(len(numbers), dtype=torch.int32)  # [o]
        self._middle = torch.full((1, plain.in_features), 128.5)  # [1, i]
        self._packed = torch.ops.onednn.qlinear_prepack(numbers, [1, plain.in_features])
        self._bias = _bias(plain, torch.float32)

    def forward(self, states: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        """states W^T + bias, in float32."""
        rows = states.reshape(-1, states.shape[-1])  # [r, i]
        steps = rows.abs().amax(1, keepdim=True).clamp_(min=1e-12).div_(127)  # [r, 1]
        # The kernel wants no negative numbers: 128 is zero. Cutting off what is past the point after adding a half is
        # rounding, in two passes instead of four.
        whole = torch.addcdiv(self._middle, rows, steps).to(torch.uint8)  # [r, i]
        out: Tensor = torch.ops.onednn.qlinear_pointwise(
            whole, 1.0, 128, self._packed, self._scales, self._zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )  # [r, o]
        out = out.mul_(steps)  # [r, o]
        if self._bias is not None:
            out = out.add_(self._bias)  # [r, o]
        return out.view(*states.shape[:-1], self.out_features)  # [..., o]


class PackedNorm(nn.Module):
    """RmsNorm in fewer passes: 6 us for a token instead of 8 to 18, and a small model has two of them a layer.

    x / sqrt(mean(x^2) + eps) = x sqrt(n) / sqrt(|x|^2 + n eps), and sqrt(n) goes into the gains.
    """

    def __init__(self, plain: RmsNorm) -> None:
        super().__init__()
        size = len(plain.weight)
        self._gain = (plain.weight.detach().float() + plain.shift) * size**0.5  # [w]
        self._eps = plain.eps * size

    def forward(self, states: Float[Tensor, "*b w"]) -> Float[Tensor, "*b w"]:
        """The states, each token's numbers at the size of the gains."""
        wide = states.float()  # [..., w]
        length = vector_norm(wide, dim=-1, keepdim=True)  # [..., 1]
        scaled: Tensor = wide * length.square_().add_(self._eps).rsqrt_() * self._gain  # [..., w]
        return scaled.to(states.dtype)


def pack(net: nn.Module, weights: Weights) -> None:
    """Lay a net out for answering, in place. It can no longer be trained or saved.

    fp32 and bf16 give the numbers that they gave before, to rounding. A tied table of words is kept beside the packed
    head, which doubles that one matrix.
    """
    with torch.no_grad():
        net.to(torch.bfloat16 if weights == "bf16" else torch.float32)
        for module in list(net.modules()):
            if isinstance(module, Block):
                module.attention.fuse()
            if isinstance(module, FeedForward):
                module.fuse()
        on_cpu = next(net.parameters()).device.type == "cpu"
        kind = {"int8": EightBitLinear, "int8_dynamic": DynamicLinear}.get(weights, PackedLinear)
        if kind is PackedLinear and not (on_cpu and torch.backends.mkldnn.is_available()):  # type: ignore[no-untyped-call]
            return
        for module in list(net.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, RmsNorm) and on_cpu:
                    setattr(module, name, PackedNorm(child))
                if isinstance(child, nn.Linear) and (kind is not PackedLinear or child.weight.numel() >= _TINY):
                    setattr(module, name, kind(child))
        if weights == "int8":  # now, so that weights were rounded once; whole numbers stay what they are
            net.to(torch.bfloat16)


def _rounded(weight: Float[Tensor, "o i"], kept: torch.dtype = torch.float32) -> tuple[Tensor, Float[Tensor, "o"]]:
    """Whole numbers of -127 to 127 and the step of each row, which is measured as it will be kept."""
    scales = (weight.abs().amax(1).float() / 127).clamp(min=1e-12).to(kept)  # [o]
    return (weight.float() / scales[:, None].float()).round().clamp(-127, 127).to(torch.int8), scales


def _bias(plain: nn.Linear, dtype: torch.dtype) -> Tensor | None:
    bias: Tensor | None = plain.bias  # torch says that there always is one
    return None if bias is None else bias.detach().to(dtype)
