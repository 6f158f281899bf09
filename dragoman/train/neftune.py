"""Noise on the vectors of words while a model learns instructions, lest it learn them by heart (NEFTune)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

__all__ = ["draw_noise", "noisy"]


def draw_noise(
    states: Float[Tensor, "b s w"], segments: Int[Tensor, "b s"] | None, alpha: float
) -> Float[Tensor, "b s w"]:
    """Uniform noise of size alpha / sqrt(L w), L the tokens of each text (Jain et al. 2023, 2310.05914).

    L counts the document a token belongs to, and not the padded row: with the row, the shortest texts of a batch would
    get the least noise for each of their tokens.
    """
    rows, tokens, width = states.shape
    if segments is None:
        lengths = states.new_full((rows, tokens), float(tokens))  # [b, s]
    else:
        same = segments[:, :, None] == segments[:, None, :]  # [b, s, s]
        lengths = same.sum(-1).to(states.dtype)  # [b, s]
    size = alpha / (lengths * width).sqrt()  # [b, s]
    return torch.empty_like(states).uniform_(-1.0, 1.0) * size[:, :, None]  # [b, s, w]


@contextmanager
def noisy(net: nn.Module, segments: Int[Tensor, "b s"] | None, alpha: float) -> Iterator[None]:
    """Within it the net that is being trained reads its words with noise; one that answers, or alpha 0, reads as ever.

    Of an encoder-decoder it is the source that is noisy, though both sides may share one table of words. The noise
    joins the vectors as they stand in the table: a model that scales them (Gemma) scales both, and learnt vectors in
    front of a text, which are no words, get none.
    """
    reader: Any = getattr(net, "encoder", net)
    if alpha == 0.0 or not net.training:
        yield
        return
    hooks: list[RemovableHandle] = []

    def disturb(module: nn.Module, given: tuple[Any, ...], states: Tensor) -> Tensor:
        return states + draw_noise(states, segments, alpha)

    def enter(module: Any, given: tuple[Any, ...]) -> None:
        hooks.append(module.words.register_forward_hook(disturb))

    def leave(module: nn.Module, given: tuple[Any, ...], states: Tensor) -> None:
        hooks.pop().remove()

    around = [reader.embeddings.register_forward_pre_hook(enter), reader.embeddings.register_forward_hook(leave)]
    try:
        yield
    finally:
        for hook in (*hooks, *around):
            hook.remove()
