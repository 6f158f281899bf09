"""The encoder from scratch: words become vectors, and blocks let them read each other."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from dragoman.nn.arch import Arch
from dragoman.nn.blocks import Block
from dragoman.nn.positions import LearnedPositions

__all__ = ["Embeddings", "Encoder", "fresh_encoder", "initialise", "mean_pool"]


class Embeddings(nn.Module):
    """The vector of a token before any context: its word, its place and its sentence, added up and normalised."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.words = nn.Embedding(arch.vocabulary, arch.width)
        self.positions = LearnedPositions(arch)
        # BERT adds the row of "sentence A" to every token, even of a single sentence: without it the logits move.
        self.types = nn.Embedding(arch.token_types, arch.width) if arch.token_types else None
        self.norm = nn.LayerNorm(arch.width, eps=arch.norm_eps)
        self.dropout = nn.Dropout(arch.dropout)

    def forward(self, ids: Int[Tensor, "b s"]) -> Float[Tensor, "b s w"]:
        """The states that enter the first block."""
        place = self.positions(ids.shape[1])  # [s, w]
        if self.types is not None:
            place = place + self.types.weight[0]  # [s, w]
        states: Tensor = self.dropout(self.norm(self.words(ids) + place))  # [b, s, w]
        return states


class Encoder(nn.Module):
    """A stack of blocks that read the whole text at once (BERT, Devlin et al. 2018)."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.embeddings = Embeddings(arch)
        self.blocks = nn.ModuleList(Block(arch) for _ in range(arch.layers))
        self.unused: tuple[str, ...] = ()
        "tensors of the folder it was loaded from that an encoder has no use for (filled by nn.store)"

    def forward(self, ids: Int[Tensor, "b s"], mask: Bool[Tensor, "b s"] | None = None) -> Float[Tensor, "b s w"]:
        """The state of every token, of shape [texts, tokens, width].

        `mask` is True on the text and False on the padding, which stands on the right; None: there is no padding.
        Raises UserError where a row is longer than the model has positions.
        """
        visible = self._visible(ids, mask)
        states: Tensor = self.embeddings(ids)  # [b, s, w]
        for block in self.blocks:
            states = block(states, visible)  # [b, s, w]
        return states

    def first(self, ids: Int[Tensor, "b s"], mask: Bool[Tensor, "b s"] | None = None) -> Float[Tensor, "b w"]:
        """The state of the first token, which a classifier reads: equal to `forward(ids, mask)[:, 0]`, and cheaper.

        The last block computes that one position only; its feed-forward part is an eighth of a six-layer model.
        """
        visible = self._visible(ids, mask)
        states: Tensor = self.embeddings(ids)  # [b, s, w]
        for block in self.blocks[:-1]:
            states = block(states, visible)  # [b, s, w]
        states = self.blocks[-1](states, visible, wanted=1)  # [b, 1, w]
        return states[:, 0]

    def _visible(self, ids: Int[Tensor, "b s"], mask: Bool[Tensor, "b s"] | None) -> Bool[Tensor, "b 1 1 s"] | None:
        self.arch.require(ids.shape[1])
        if mask is None:
            return None
        if mask.device.type == "cpu" and bool(mask.all()):  # on a GPU the question would wait for the device
            return None
        return mask[:, None, None, :]


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
            if isinstance(module, nn.Linear | nn.LayerNorm) and module.bias is not None:
                module.bias.zero_()


def fresh_encoder(arch: Arch, seed: int = 0) -> Encoder:
    """An encoder that has learnt nothing yet, the same for the same seed."""
    net = Encoder(arch)
    initialise(net, arch.initial_std, seed)
    return net
