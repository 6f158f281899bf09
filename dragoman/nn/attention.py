"""Attention: every token asks all tokens it may see a question, and takes in a mixture of their answers."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import scaled_dot_product_attention

from dragoman.nn.arch import Arch
from dragoman.nn.cache import LayerCache
from dragoman.nn.norms import make_norm
from dragoman.nn.positions import turn
from dragoman.nn.slots import LayerSlots

__all__ = ["Attention", "Documents", "Sight", "attend"]

_SHORT = 512
"""The most keys of a text where bf16 training on a CPU multiplies plain matrices instead of asking the fused kernel.

Forward and backward on one core with avx512_bf16, ms, fused / plain: 16 texts of 64 tokens, 4 heads of 32: 9.3 / 1.7;
16 of 256, 12 heads of 64: 186 / 86; 4 of 512, 8 heads of 64: 113 / 64; 4 of 1024, 12 heads of 64: 399 / 526. In fp32
the fused kernel wins everywhere (14 / 18, 154 / 241, 112 / 209), and a dense mask costs it nothing below 1024 tokens.
"""


@dataclass
class Documents:
    """How long the documents of packed rows are, row by row, where it pays to go through them one by one.

    Not frozen: a compiler looks into frozen ones, and would compile anew for each batch.
    """

    lengths: tuple[int, ...]


@dataclass(frozen=True)
class Sight:
    """What one layer's queries may see and from where: the same for every layer of a kind, so it is made once.

    `mask` is True where a key may be seen; a bias by distance (T5, ALiBi) is added to the scores, and -inf in it hides.
    `causal` says instead that query i sees keys 0 to i, which the kernels do without a mask.
    """

    mask: Bool[Tensor, "b 1 q k"] | None = None
    bias: Float[Tensor, "b h q k"] | None = None
    causal: bool = False
    angles: tuple[Tensor, Tensor] | None = None
    "rotary positions of the queries, [b, s, 1, d] each"
    slots: Int[Tensor, "_ k"] | None = None
    "which places are a prefix whose keys and values are learnt, as nn.prompted lays them out; None: there is none"
    documents: Documents | None = None
    "what `mask` says too, `causal` included, for who can go through documents one by one"


def attend(
    query: Float[Tensor, "b h q d"],
    key: Float[Tensor, "b g k d"],
    value: Float[Tensor, "b g k d"],
    sight: Sight,
    scale: float,
    dropout: float = 0.0,
) -> Float[Tensor, "b h q d"]:
    """softmax(Q K^T scale + M) V (Vaswani et al. 2017). Query head i reads answering head i // (h / g) (Ainslie 2023).

    One query at a time is the decoder's daily bread: the heads of a group then stand as the queries of their one key,
    and nothing is copied.
    """
    if sight.documents is not None and not torch.compiler.is_compiling():
        lengths = list(sight.documents.lengths)
        return _attend_apart(query, key, value, Sight(causal=sight.causal), lengths, scale, dropout)
    batch, heads, length, size = query.shape
    groups = key.shape[1]
    if _pays_plainly(query, key):
        return _attend_plainly(query, key, value, sight, scale, dropout)
    seen = sight.bias.to(key.dtype) if sight.bias is not None else sight.mask
    if query.dtype != key.dtype:  # the cache holds wider numbers than the matrices give
        exact = Sight(sight.mask, seen if sight.bias is not None else None, sight.causal)
        return attend(query.to(key.dtype), key, value, exact, scale, dropout).to(query.dtype)
    if length == 1 and groups < heads and sight.bias is None:
        folded = query.view(batch, groups, heads // groups, size)  # [b, g, h / g, d]
        mixed = scaled_dot_product_attention(folded, key, value, attn_mask=seen, dropout_p=dropout, scale=scale)
        return mixed.reshape(batch, heads, 1, size)  # [b, h, 1, d]: kernels of GPUs give it back in another order
    if groups < heads and sight.bias is not None:  # a bias of its own for each head: the kernels want them all
        key, value = (states.repeat_interleave(heads // groups, 1) for states in (key, value))  # [b, h, k, d]
        groups = heads
    return scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=seen,
        dropout_p=dropout,
        is_causal=sight.causal and seen is None and length > 1,
        scale=scale,
        enable_gqa=groups < heads,
    )  # [b, h, q, d]


def _attend_apart(
    query: Float[Tensor, "b h s d"],
    key: Float[Tensor, "b g s d"],
    value: Float[Tensor, "b g s d"],
    alone: Sight,
    lengths: list[int],
    scale: float,
    dropout: float,
) -> Float[Tensor, "b h s d"]:
    """The same for rows of several documents, each alone: what a mask would hide is never computed."""
    rows = [each.transpose(1, 2).flatten(0, 1).transpose(0, 1)[None] for each in (query, key, value)]  # [1, h, b s, d]
    parts = zip(*(torch.split(each, lengths, dim=2) for each in rows), strict=True)
    mixed = [attend(query, key, value, alone, scale, dropout) for query, key, value in parts]  # [1, h, n, d] each
    together = torch.cat([each[0].transpose(0, 1) for each in mixed])  # [b s, h, d]
    return together.view(query.shape[0], -1, *together.shape[1:]).transpose(1, 2)  # [b, h, s, d]


def _pays_plainly(query: Tensor, key: Tensor) -> bool:
    light = query.dtype == key.dtype == torch.bfloat16 and query.device.type == "cpu" and key.shape[2] <= _SHORT
    return light and torch.is_grad_enabled() and query.requires_grad


def _attend_plainly(
    query: Float[Tensor, "b h q d"],
    key: Float[Tensor, "b g k d"],
    value: Float[Tensor, "b g k d"],
    sight: Sight,
    scale: float,
    dropout: float,
) -> Float[Tensor, "b h q d"]:
    """The same in two products and a softmax, which holds the shares [b, h, q, k] for the gradients.

    The heads of a group stand as the queries of their one key.
    """
    batch, heads, length, size = query.shape
    groups, keys = key.shape[1:3]
    folded = (query * scale).reshape(batch, groups, heads // groups * length, size)  # [b, g, h / g q, d]
    scores = (folded @ key.mT).view(batch, heads, length, keys)  # [b, h, q, k]
    added = sight.bias
    if added is None and sight.mask is not None:
        added = torch.zeros_like(sight.mask, dtype=key.dtype).masked_fill(~sight.mask, -torch.inf)  # [b, 1, q, k]
    elif added is None and sight.causal and length > 1:
        added = torch.full((length, keys), -torch.inf, dtype=key.dtype, device=key.device).triu(1)  # [q, k]
    shares = (scores if added is None else scores + added.to(key.dtype)).softmax(-1)  # [b, h, q, k]
    if dropout:
        shares = functional.dropout(shares, dropout)
    mixed = shares.view(batch, groups, heads // groups * length, keys) @ value  # [b, g, h / g q, d]
    return mixed.view(batch, heads, length, size)


class Attention(nn.Module):
    """Attention in several heads at once: MHA, or GQA and MQA where fewer heads answer than ask.

    The four projections are modules of their own, so that a tuning (LoRA, say) can take the place of any of them;
    `fuse` makes one of the first three for a model that only answers.
    """

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.heads, self.groups, self.size = arch.heads, arch.groups, arch.head_size
        self.dropout = arch.attention_dropout
        self.scale = arch.attention_scale or self.size**-0.5
        self.query = nn.Linear(arch.width, self.heads * self.size, bias=arch.attention_bias)
        self.key = nn.Linear(arch.width, self.groups * self.size, bias=arch.attention_bias)
        self.value = nn.Linear(arch.width, self.groups * self.size, bias=arch.attention_bias)
        self.output = nn.Linear(self.heads * self.size, arch.width, bias=arch.output_bias)
        self.query_norm = make_norm(arch, self.size) if arch.head_norm else None
        self.key_norm = make_norm(arch, self.size) if arch.head_norm else None
        self.joint: nn.Module | None = None
        self.front: nn.Module | None = None
        "the learnt keys and values of a prefix (nn.prompted.LearntPairs), where a tuning put one there"

    def forward(
        self,
        states: Float[Tensor, "b s w"],
        sight: Sight,
        wanted: int | None = None,
        cache: LayerCache | LayerSlots | None = None,
        source: Float[Tensor, "b t w"] | None = None,
    ) -> Float[Tensor, "b q w"]:
        """What each token learns from those it sees.

        `wanted` asks for the first so many positions alone (all still answer), which is what a classifier needs.
        `cache` holds the keys and values of what came before. `source` is another text to ask, as a decoder asks its
        encoder; with a cache that was filled from it, it is not needed again.
        """
        if source is not None or (cache is not None and cache.fixed):
            query, key, value = self._ask_elsewhere(states, source, cache)
        elif self.joint is not None:
            query, key, value = self._split_joint(states)  # [b, s, h, d], [b, s, g, d] twice
        else:
            asking = states if wanted is None else states[:, :wanted].contiguous()  # [b, q, w]
            query = self._split(self.query(asking), self.heads)  # [b, q, h, d]
            key = self._split(self.key(states), self.groups)  # [b, s, g, d]
            value = self._split(self.value(states), self.groups)  # [b, s, g, d]
        if self.query_norm is not None and self.key_norm is not None:
            query, key = self.query_norm(query), self.key_norm(key)
        if sight.angles is not None:
            query, key = turn(query, sight.angles), turn(key, sight.angles)  # [b, s, h, d], [b, s, g, d]
        if self.front is not None and sight.slots is not None:
            key, value = self.front(key, value, sight.slots)  # [b, s, g, d] twice
        key, value = key.transpose(1, 2), value.transpose(1, 2)  # [b, g, s, d]
        if cache is not None and not cache.fixed:
            key, value = cache.extend(key, value)  # [b, g, k, d]
        mixed = attend(
            query.transpose(1, 2), key, value, sight, self.scale, self.dropout if self.training else 0.0
        )  # [b, h, q, d]
        answer: Tensor = self.output(mixed.transpose(1, 2).flatten(2))  # [b, q, w]
        return answer

    def fuse(self) -> None:
        """One matrix for query, key and value: a third of the calls, and the same numbers. The three are gone after."""
        parts = (self.query, self.key, self.value)
        joint = nn.Linear(
            parts[0].in_features, sum(part.out_features for part in parts), bias=parts[0].bias is not None
        )
        with torch.no_grad():
            joint.weight = nn.Parameter(torch.cat([part.weight for part in parts]))
            if joint.bias is not None:
                joint.bias = nn.Parameter(torch.cat([part.bias for part in parts]))
        self.joint = joint
        del self.query, self.key, self.value

    def _split_joint(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        assert self.joint is not None
        together = self._split(self.joint(states), self.heads + 2 * self.groups)  # [b, s, h + 2 g, d]
        query, key, value = torch.split(together, [self.heads, self.groups, self.groups], dim=2)
        return query, key, value

    def _ask_elsewhere(
        self, states: Tensor, source: Tensor | None, cache: LayerCache | LayerSlots | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Cross-attention: keys and values come from the source, once a text."""
        query = self._split(self.query(states), self.heads)  # [b, q, h, d]
        if cache is not None and cache.filled:
            key, value = cache.content()  # [b, g, t, d]
        else:
            assert source is not None
            key = self._split(self.key(source), self.groups).transpose(1, 2)  # [b, g, t, d]
            value = self._split(self.value(source), self.groups).transpose(1, 2)  # [b, g, t, d]
            if cache is not None:
                key, value = cache.extend(key, value)  # [b, g, t, d]
        return query, key.transpose(1, 2), value.transpose(1, 2)

    def _split(self, states: Float[Tensor, "b s hd"], heads: int) -> Float[Tensor, "b s h d"]:
        texts, tokens, _ = states.shape
        return states.view(texts, tokens, heads, self.size)
