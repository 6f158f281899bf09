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

    def encode(self, ids: Int[Tensor, "b t"], mask: Bool[Tensor, "b t"] | None = None) -> Float[Tensor, "b t w"]:
        """What the encoder understood of the source, a state for each of its tokens."""
        states: Tensor = self.encoder(ids, mask)  # [b, t, w]
        return states

    def forward(
        self,
        ids: Int[Tensor, "b t"],
        mask: Bool[Tensor, "b t"] | None,
        targets: Int[Tensor, "b s"],
        target_mask: Bool[Tensor, "b s"] | None = None,
    ) -> Float[Tensor, "b s v"]:
        """The logits after each token of `targets`, which begins with arch.start_id (see `shift_right`)."""
        source = self.encode(ids, mask)  # [b, t, w]
        logits: Tensor = self.decoder(targets, target_mask, source=source, source_mask=mask)  # [b, s, v]
        return logits


def shift_right(labels: Int[Tensor, "b s"], start_id: int) -> Int[Tensor, "b s"]:
    """What the decoder reads to predict `labels`: the start token, then all labels but the last."""
    start = torch.full_like(labels[:, :1], start_id)  # [b, 1]
    return torch.cat((start, labels[:, :-1]), dim=1)  # [b, s]
