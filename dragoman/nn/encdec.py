"""Two stacks: one reads a text, the other writes another and asks the first at every block (Vaswani et al. 2017)."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from dragoman.nn.arch import Arch
from dragoman.nn.decoder import Decoder
from dragoman.nn.encoder import Encoder

__all__ = ["EncoderDecoder", "shift_right"]


class EncoderDecoder(nn.Module):
    """An encoder and a decoder that share the table of words (T5, Raffel et al. 2020; BART, Lewis et al. 2020)."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.encoder = Encoder(arch)
        self.decoder = Decoder(arch, self.encoder.embeddings.words)
        self.unused: tuple[str, ...] = ()
        "as in Decoder"

    @property
    def head(self) -> nn.Linear:
        """The matrix of words that predicts."""
        return self.decoder.head

    def encode(
        self,
        ids: Int[Tensor, "b t"],
        mask: Bool[Tensor, "b t"] | None = None,
        segments: Int[Tensor, "b t"] | None = None,
    ) -> Float[Tensor, "b t w"]:
        """What the encoder understood of the source, a state for each of its tokens."""
        states: Tensor = self.encoder(ids, mask, segments)  # [b, t, w]
        return states

    def read(
        self,
        ids: Int[Tensor, "b t"],
        mask: Bool[Tensor, "b t"] | None = None,
        segments: Int[Tensor, "b t"] | None = None,
    ) -> tuple[Float[Tensor, "b u w"], Bool[Tensor, "b u"] | None, Int[Tensor, "b u"] | None]:
        """What the decoder asks: the states of the source, a soft prompt included, its mask and its segments."""
        return self.encoder.read(ids, mask, segments)

    def forward(
        self,
        ids: Int[Tensor, "b t"],
        mask: Bool[Tensor, "b t"] | None,
        targets: Int[Tensor, "b s"],
        target_mask: Bool[Tensor, "b s"] | None = None,
        segments: Int[Tensor, "b t"] | None = None,
        target_segments: Int[Tensor, "b s"] | None = None,
    ) -> Float[Tensor, "b s v"]:
        """The logits after each token of `targets`, which begins with arch.start_id (see `shift_right`).

        `segments` pack several sources into a row and `target_segments` their answers, each of which sees the source
        of its number (see `Decoder.forward`). Raises ValueError where one is given without the other, or with a mask.
        """
        return self.predict(self.states(ids, mask, targets, target_mask, segments, target_segments))

    def states(
        self,
        ids: Int[Tensor, "b t"],
        mask: Bool[Tensor, "b t"] | None,
        targets: Int[Tensor, "b s"],
        target_mask: Bool[Tensor, "b s"] | None = None,
        segments: Int[Tensor, "b t"] | None = None,
        target_segments: Int[Tensor, "b s"] | None = None,
    ) -> Float[Tensor, "b s w"]:
        """The decoder's state of every target token in front of the prediction, arguments as in `forward`."""
        if (segments is None) != (target_segments is None):
            raise ValueError("sources and answers are packed together or not at all")
        source, mask, segments = self.read(ids, mask, segments)  # [b, u, w], [b, u] twice
        return self.decoder.states(
            targets,
            target_mask,
            source=source,
            source_mask=mask,
            segments=target_segments,
            source_segments=segments,
        )

    def refine(self, states: Float[Tensor, "*b w"]) -> Float[Tensor, "*b w"]:
        """What the matrix of words, `head`, multiplies."""
        return self.decoder.refine(states)

    def predict(self, states: Float[Tensor, "*b w"]) -> Float[Tensor, "*b v"]:
        """The logits of the next token that states of the decoder predict."""
        return self.decoder.predict(states)


def shift_right(labels: Int[Tensor, "b s"], start_id: int) -> Int[Tensor, "b s"]:
    """What the decoder reads to predict `labels`: the start token, then all labels but the last."""
    start = torch.full_like(labels[:, :1], start_id)  # [b, 1]
    return torch.cat((start, labels[:, :-1]), dim=1)  # [b, s]
