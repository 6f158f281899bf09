"""The encoder from scratch: words become vectors, and blocks let them read each other."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from dragoman.nn.arch import Arch
from dragoman.nn.attention import Sight
from dragoman.nn.blocks import Block
from dragoman.nn.embeddings import Embeddings
from dragoman.nn.norms import RmsNorm, make_norm
from dragoman.nn.prompted import Front, Layout
from dragoman.nn.recompute import run_block
from dragoman.nn.segments import place_documents, told_apart
from dragoman.nn.sights import Sights

__all__ = ["Encoder", "fresh_encoder", "initialise", "mean_pool"]


class Encoder(nn.Module):
    """A stack of blocks that read the whole text at once (BERT, Devlin et al. 2018)."""

    def __init__(self, arch: Arch, words: nn.Embedding | None = None) -> None:
        super().__init__()
        self.arch = arch
        self.embeddings = Embeddings(arch, words)
        self.sights = Sights(arch, causal=False)
        self.blocks = nn.ModuleList(Block(arch) for _ in range(arch.layers))
        self.norm = make_norm(arch) if arch.final_norm else None
        self.last_dropout = nn.Dropout(arch.dropout if arch.final_norm else 0.0)
        self.front: Front | None = None
        "the learnt places in front of every text, where a tuning put them there"
        self.recompute = False
        "whether blocks are computed once more for the gradients instead of kept (see nn.recompute)"
        self.unused: tuple[str, ...] = ()
        "tensors of the folder it was loaded from that an encoder has no use for (filled by nn.store)"

    def forward(
        self,
        ids: Int[Tensor, "b s"],
        mask: Bool[Tensor, "b s"] | None = None,
        segments: Int[Tensor, "b s"] | None = None,
        types: Int[Tensor, "b s"] | None = None,
    ) -> Float[Tensor, "b s w"]:
        """The state of every token, of shape [texts, tokens, width].

        `mask` is True on the text and False on the padding, which stands on the right; None: there is no padding.
        `segments` pack several documents into a row: equal neighbours are one, whose positions begin at 0 and which
        sees itself alone; no number comes back later in a row. `types` say which sentence of a pair a token is of, 0 or
        1; None: all are of the first. Raises UserError where a document is longer than the model has positions, and
        ValueError where there are segments and a mask, or types in a model that has none.
        """
        states, laid = self._climb(ids, mask, segments, types)  # [b, n, w]
        return self._leave(states if laid is None else laid.narrow(states))

    def read(
        self, ids: Int[Tensor, "b s"], mask: Bool[Tensor, "b s"] | None, segments: Int[Tensor, "b s"] | None
    ) -> tuple[Float[Tensor, "b n w"], Bool[Tensor, "b n"] | None, Int[Tensor, "b n"] | None]:
        """The states that a decoder asks, with the mask and the segments that go with them.

        They are the tokens' own, and those of a soft prompt where one stands in front of them (Lester et al. 2021).
        """
        states, laid = self._climb(ids, mask, segments, None)  # [b, n, w]
        if laid is None:
            return self._leave(states), mask, segments
        if self.front is None or not self.front.read:
            return self._leave(laid.narrow(states)), mask, segments
        return self._leave(states), laid.mask, laid.segments

    def first(
        self,
        ids: Int[Tensor, "b s"],
        mask: Bool[Tensor, "b s"] | None = None,
        types: Int[Tensor, "b s"] | None = None,
    ) -> Float[Tensor, "b w"]:
        """The state of the first token, which a classifier reads: equal to `forward` and its [:, 0], and cheaper.

        The last block computes that one position only; its feed-forward part is an eighth of a six-layer model.
        """
        states, sights = self._enter(ids, mask, None, types, None)  # [b, s, w]
        for block, sight in zip(self.blocks[:-1], sights[:-1], strict=True):
            states = run_block(block, self.recompute, states, sight)  # [b, s, w]
        states = self.blocks[-1](states, sights[-1], wanted=1)  # [b, 1, w]
        return self._leave(states)[:, 0]

    def _climb(
        self,
        ids: Int[Tensor, "b s"],
        mask: Bool[Tensor, "b s"] | None,
        segments: Int[Tensor, "b s"] | None,
        types: Int[Tensor, "b s"] | None,
    ) -> tuple[Tensor, Layout | None]:
        """The states above the last block, those of the learnt places in front included."""
        laid = None if self.front is None else self.front.lay(ids, mask, segments)
        mask, segments = (mask, segments) if laid is None else (laid.mask, laid.segments)  # [b, n] each
        states, sights = self._enter(ids, mask, segments, types, laid)  # [b, n, w]
        sights = sights if self.front is None or laid is None else self.front.show(sights, laid)
        for block, sight in zip(self.blocks, sights, strict=True):
            states = run_block(block, self.recompute, states, sight)  # [b, n, w]
        return states, laid

    def _enter(
        self,
        ids: Int[Tensor, "b s"],
        mask: Bool[Tensor, "b n"] | None,
        segments: Int[Tensor, "b n"] | None,
        types: Int[Tensor, "b s"] | None,
        laid: Layout | None,
    ) -> tuple[Tensor, list[Sight]]:
        front = 0 if self.front is None else self.front.count
        segments = told_apart(segments, mask)  # [b, s]
        if segments is not None:
            places = place_documents(segments, self.arch, front)  # [b, n]
            states: Tensor = self.embeddings(ids, places, types, laid)  # [b, n, w]
            return states, self.sights(places, None, states.dtype, segments=segments)
        self.arch.require(ids.shape[1])
        if mask is not None and mask.device.type == "cpu" and bool(mask.all()):  # a GPU would have to be waited for
            mask = None
        places = torch.arange(front + ids.shape[1], device=ids.device)[None]  # [1, n]
        states = self.embeddings(ids, places, types, laid)  # [b, n, w]
        return states, self.sights(places, mask, states.dtype)

    def _leave(self, states: Float[Tensor, "b s w"]) -> Float[Tensor, "b s w"]:
        if self.norm is None:
            return states
        normed: Tensor = self.last_dropout(self.norm(states))  # [b, s, w]
        return normed


def mean_pool(states: Float[Tensor, "b s w"], mask: Bool[Tensor, "b s"] | None) -> Float[Tensor, "b w"]:
    """One vector a text: the mean over its tokens, padding left out (Sentence-BERT, Reimers and Gurevych 2019)."""
    if mask is None:
        return states.mean(1)
    kept = mask[:, :, None].to(states.dtype)  # [b, s, 1]
    return (states * kept).sum(1) / kept.sum(1)


def initialise(net: nn.Module, std: float, seed: int) -> None:
    """Fill a net with fresh weights: matrices N(0, std), biases 0, gains 1. The same seed gives the same weights."""
    dice = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                module.weight.copy_(torch.empty(module.weight.shape).normal_(0.0, std, generator=dice))
            if isinstance(module, nn.LayerNorm):
                module.weight.fill_(1.0)
            if isinstance(module, RmsNorm):
                module.weight.fill_(1.0 - module.shift)
            if isinstance(module, nn.Linear | nn.LayerNorm) and module.bias is not None:
                module.bias.zero_()


def fresh_encoder(arch: Arch, seed: int = 0) -> Encoder:
    """An encoder that has learnt nothing yet, the same for the same seed."""
    net = Encoder(arch)
    initialise(net, arch.initial_std, seed)
    return net
