"""The masked language model: an encoder that says which word stands behind a mask (BERT, Devlin et al. 2018)."""

from dataclasses import replace

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from dragoman.nn.arch import Arch
from dragoman.nn.blocks import activation_of
from dragoman.nn.encoder import Encoder
from dragoman.nn.norms import make_norm

__all__ = ["MaskedLM"]


class MaskedLM(nn.Module):
    """An encoder, one more layer with a norm over its states, and the table of words read backwards.

    The layer stands between because a state that the last block made for attention is not yet a word.
    """

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = replace(arch, head_bias=True)
        self.encoder = Encoder(self.arch)
        self.dense = nn.Linear(arch.width, arch.width)
        self.bend = activation_of(arch.activation)
        self.norm = make_norm(arch)
        self.head = nn.Linear(arch.width, arch.vocabulary)
        if arch.tied:
            self.head.weight = self.encoder.embeddings.words.weight
        self.unused: tuple[str, ...] = ()
        "as in Decoder"

    def forward(
        self,
        ids: Int[Tensor, "b s"],
        mask: Bool[Tensor, "b s"] | None = None,
        segments: Int[Tensor, "b s"] | None = None,
    ) -> Float[Tensor, "b s v"]:
        """The logits of the word at each place, [texts, tokens, vocabulary]. Arguments as in `Encoder.forward`."""
        return self.predict(self.states(ids, mask, segments))

    def states(
        self,
        ids: Int[Tensor, "b s"],
        mask: Bool[Tensor, "b s"] | None = None,
        segments: Int[Tensor, "b s"] | None = None,
    ) -> Float[Tensor, "b s w"]:
        """The state of every token in front of the prediction, as the encoder leaves it."""
        states: Tensor = self.encoder(ids, mask, segments)  # [b, s, w]
        return states

    def refine(self, states: Float[Tensor, "*b w"]) -> Float[Tensor, "*b w"]:
        """What the matrix of words, `head`, multiplies: asked for the chosen places alone, it costs a sixth."""
        refined: Tensor = self.norm(self.bend(self.dense(states)))  # [..., w]
        return refined

    def predict(self, states: Float[Tensor, "*b w"]) -> Float[Tensor, "*b v"]:
        """The logits of the word that a state stands for."""
        logits: Tensor = self.head(self.refine(states))  # [..., v]
        return logits
