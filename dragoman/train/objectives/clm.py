"""The next token: a decoder reads a text and says at every place what comes after it (GPT, Radford et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dragoman.core.errors import UserError
from dragoman.train.doors import Kit, Loss

if TYPE_CHECKING:
    from dragoman.nn.decoder import Decoder
    from dragoman.train.packing import Rows, Texts
    from dragoman.train.token_batches import TokenBatch

__all__ = ["Clm"]


@dataclass(frozen=True)
class Clm:
    """Causal language modelling on packed rows.

    In front of each document stands the tokenizer's beginning (its end, where it has no beginning), and behind it the
    end is to be predicted: a model that never learnt to stop would not.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    kind: ClassVar[str] = "decoder"

    z_loss: float = 0.0
    "The weight of the squared log of the softmax's sum, which keeps logits small in long runs; 1e-4 in PaLM (2022)."

    def __post_init__(self) -> None:
        if self.z_loss < 0:
            raise UserError(f"z_loss cannot be {self.z_loss}", "it must be 0 or more: objective.z_loss=1e-4")

    def encode(self, net: Decoder, texts: Texts, kit: Kit) -> Rows:
        """The texts as rows of max_length tokens."""
        from dragoman.train.packing import Rows, Stream

        tokenizer = kit.tokenizer
        end = min(tokenizer.eos_ids) if tokenizer.eos_ids else None
        begin = tokenizer.bos_id if tokenizer.bos_id is not None else end
        before, last = (() if begin is None else (begin,)), (-100 if end is None else end)
        streams = tuple(Stream(source, before=before, end=last) for source in texts.sources)
        return Rows(streams, texts.shares, kit.how.max_length, kit.how.seed)

    def stream(self, net: Decoder, rows: Rows, kit: Kit, start: int) -> Iterator[tuple[TokenBatch, ...]]:
        """The batches of each step."""
        from dragoman.train.token_batches import Row, stream_parts

        def make(number: int) -> Row:
            line = rows.line(number)
            return Row(line.name, line.ids, line.following, line.documents)

        return stream_parts(rows, make, kit, start, kit.tokenizer.pad_id)

    def loss(self, net: Decoder, batch: TokenBatch, kit: Kit) -> Loss:
        """The sum of -log p over all tokens that follow another."""
        from dragoman.train.token_batches import word_loss

        states = net.states(batch.ids, segments=batch.segments)  # [b, s, w]
        return Loss(word_loss(net, states, batch.labels, z_loss=self.z_loss))
