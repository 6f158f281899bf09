"""The log-probability of each token that was written, with its gradient: what preferences and policies learn by."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from dragoman.train.cross_entropy import IGNORED, chunk_size

__all__ = ["row_sums", "word_logs"]


def word_logs(
    net: Any,
    states: Float[Tensor, "b s w"],
    labels: Int[Tensor, "b s"],
    temperature: float = 1.0,
) -> tuple[Float[Tensor, "b s"], Float[Tensor, "b s"]]:
    """log p of each label and the entropy of the distribution it was drawn from, in nats; 0 where the label is -100.

    `temperature` divides the logits, as it did when the tokens were drawn: scored at another one they would have
    another distribution (Huang et al. 2024, 2403.17031, detail 1). Logits are held for a chunk of tokens at a time, and
    computed once more for the gradient, where all of them would be many.
    """
    flat = labels.flatten()  # [b s]
    chosen = (flat != IGNORED).nonzero()[:, 0]  # [n]
    wanted, told = flat[chosen], net.refine(states.flatten(0, 1)[chosen])  # [n], [n w]
    size = chunk_size(len(wanted), len(net.head.weight))
    if size >= len(wanted):
        logs, spread = _scored(told, net.head.weight, net.head.bias, wanted, temperature)  # [n], [n]
    else:
        some = [slice(first, first + size) for first in range(0, len(wanted), size)]
        parts = [
            checkpoint(
                _scored, told[one], net.head.weight, net.head.bias, wanted[one], temperature, use_reentrant=False
            )
            for one in some
        ]
        logs, spread = (torch.cat(each) for each in zip(*parts, strict=True))
    empty = logs.new_zeros(flat.shape)
    return (
        empty.index_put((chosen,), logs).view(labels.shape),
        empty.index_put((chosen,), spread).view(labels.shape),
    )


def row_sums(
    net: Any, ids: Int[Tensor, "b s"], labels: Int[Tensor, "b s"], segments: Int[Tensor, "b s"] | None
) -> Float[Tensor, " b"]:
    """log p of the labels of each row, summed: of a whole answer, its stop included."""
    logs, _ = word_logs(net, net.states(ids, segments=segments), labels)  # [b, s]
    return logs.sum(1)


def _scored(
    states: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """log p of the labels and the entropy, of a chunk of tokens; in float32 at least."""
    weight = weight.to(states.dtype)  # [v, w]
    logits = torch.nn.functional.linear(states, weight, None if bias is None else bias.to(states.dtype))  # [n, v]
    logits = logits.double() if logits.dtype == torch.float64 else logits.float()
    logs = (logits / temperature).log_softmax(1)  # [n, v]
    return logs.gather(1, labels[:, None])[:, 0], -(logs.exp() * logs).sum(1)
