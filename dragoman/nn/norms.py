"""Normalisation: each token's numbers are brought to one size, so that a deep stack neither swells nor fades."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import rms_norm

from dragoman.nn.arch import Arch

__all__ = ["RmsNorm", "make_norm"]


class RmsNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * gain: layer norm without the mean and the bias (Zhang and Sennrich 2019).

    Computed in float32 at least: the mean of many small squares is lost in bf16. `shift` is added to the saved gains;
    Gemma saves them as distances from 1, so that weight decay pulls them there.
    """

    def __init__(self, width: int, eps: float, shift: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((width,), 1.0 - shift))
        self.eps = eps
        self.shift = shift

    def forward(self, states: Float[Tensor, "*b w"]) -> Float[Tensor, "*b w"]:
        """The states, each token's numbers at the size of the gains."""
        if self.shift:  # 1 + w in bf16 would lose the small w that training found
            exact: Tensor = rms_norm(states.float(), self.weight.shape, self.weight.float() + self.shift, self.eps)
            return exact.to(states.dtype)  # [..., w]
        normed: Tensor = rms_norm(states, self.weight.shape, self.weight, self.eps)  # [..., w]; in float32 inside
        return normed


def make_norm(arch: Arch, width: int = 0) -> nn.Module:
    """The norm that a shape asks for, over its width or over `width` numbers."""
    if arch.norm == "rms":
        return RmsNorm(width or arch.width, arch.norm_eps, arch.norm_shift)
    return nn.LayerNorm(width or arch.width, eps=arch.norm_eps)
