"""Watches a stack at work: what it holds after each block, and which token read how much of which."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dragoman.nn.attention import Attention, Sight
from dragoman.nn.decoder import Decoder
from dragoman.nn.encoder import Encoder
from dragoman.nn.positions import turn

__all__ = ["Seen", "attention_shares", "watch"]


@dataclass
class Seen:
    """What was seen of one pass over one text; tensors lie on the CPU in float32."""

    states: list[Float[Tensor, "s w"]] = field(default_factory=list)
    "what enters the first block, then what leaves each block: layers + 1 of them"
    shares: list[Float[Tensor, "h q k"]] = field(default_factory=list)
    "a layer each: how much of each token every token read, rows sum to 1"
    crossed: list[Float[Tensor, "h q t"]] = field(default_factory=list)
    "the same for the text that the encoder read; empty where there is none"


def attention_shares(
    attention: Attention, states: Float[Tensor, "b s w"], sight: Sight, source: Float[Tensor, "b t w"] | None = None
) -> tuple[Float[Tensor, "b h s k"], Float[Tensor, "b s w"]]:
    """The shares softmax(Q K^T scale + M) of every head, and the answer that these shares give.

    The kernels of `attend` never hold the shares, which is why they are fast. Here they are computed again from the
    module's own projections; the answer equals the module's to rounding, which is what proves the shares right.
    Arguments as in `Attention.forward`, without a cache.
    """
    read = states if source is None else source  # [b, k, w]
    query = attention.query(states).unflatten(-1, (attention.heads, attention.size))  # [b, s, h, d]
    key = attention.key(read).unflatten(-1, (attention.groups, attention.size))  # [b, k, g, d]
    value = attention.value(read).unflatten(-1, (attention.groups, attention.size))  # [b, k, g, d]
    if attention.query_norm is not None and attention.key_norm is not None:
        query, key = attention.query_norm(query), attention.key_norm(key)
    if sight.angles is not None:
        query, key = turn(query, sight.angles), turn(key, sight.angles)
    alike = attention.heads // attention.groups
    key = key.transpose(1, 2).repeat_interleave(alike, 1)  # [b, h, k, d]
    value = value.transpose(1, 2).repeat_interleave(alike, 1)  # [b, h, k, d]
    scores = query.transpose(1, 2) @ key.mT * attention.scale  # [b, h, s, k]
    if sight.bias is not None:
        scores = scores + sight.bias
    elif sight.mask is not None:
        scores = scores.masked_fill(~sight.mask, -torch.inf)
    if sight.causal:
        later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)  # [s, k]
        scores = scores.masked_fill(later, -torch.inf)
    shares = scores.float().softmax(-1)  # [b, h, s, k]
    mixed = shares.to(value) @ value  # [b, h, s, d]
    answer: Tensor = attention.output(mixed.transpose(1, 2).flatten(2))  # [b, s, w]
    return shares, answer


@contextmanager
def watch(stack: Encoder | Decoder) -> Iterator[Seen]:
    """Look on while the stack reads one text (a batch of one, no cache); afterwards nothing of it is changed."""
    seen = Seen()

    def entered(module: nn.Module, args: tuple[Any, ...], states: Tensor) -> None:
        seen.states.append(_plain(states))

    def asked(module: nn.Module, args: tuple[Any, ...], words: Mapping[str, Any], answer: Tensor) -> None:
        assert isinstance(module, Attention)
        source = words.get("source")
        shares, _ = attention_shares(module, args[0], args[1], source)  # [1, h, q, k]
        (seen.shares if source is None else seen.crossed).append(_plain(shares))

    handles = [stack.embeddings.register_forward_hook(entered)]
    for block in stack.blocks:
        handles.append(block.register_forward_hook(entered))
        parts = [part for part in block.modules() if isinstance(part, Attention)]
        handles += [part.register_forward_hook(asked, with_kwargs=True) for part in parts]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _plain(values: Float[Tensor, "1 ..."]) -> Float[Tensor, "..."]:
    return values.detach()[0].float().cpu()
