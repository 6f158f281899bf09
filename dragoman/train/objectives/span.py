"""Spans that were taken out: an encoder-decoder reads a text with gaps and writes what stood in them (T5, 2020)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dragoman.core.errors import UserError
from dragoman.train.doors import Kit, Loss

if TYPE_CHECKING:
    from dragoman.nn.encdec import EncoderDecoder
    from dragoman.train.packing import Rows, Texts
    from dragoman.train.token_batches import TokenBatch

__all__ = ["Span"]


@dataclass(frozen=True)
class Span:
    """Span corruption (Raffel et al. 2020, section 3.1.4), each document of a row for itself.

    A row of raw text is as long as fits: 568 tokens of one document become 512 of input and 114 of target; each further
    document in the row adds its own end. Sentinels are <extra_id_0>, <extra_id_1> ... of the tokenizer, whose ids count
    down.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    kind: ClassVar[str] = "encoder-decoder"

    density: float = 0.15
    "The share of tokens that are taken out."
    mean: float = 3.0
    "Tokens of a span on average."

    def __post_init__(self) -> None:
        if not 0 < self.density < 1:
            raise UserError(f"density cannot be {self.density}", "it must be above 0 and below 1")
        if not 1 <= self.mean < float("inf"):
            raise UserError(f"mean cannot be {self.mean}", "it must be 1 or more: objective.mean=3")

    def encode(self, net: EncoderDecoder, texts: Texts, kit: Kit) -> Rows:
        """The texts as rows of raw text, of which max_length tokens of input are made."""
        from dragoman.train.corrupt import Spans, raw_length
        from dragoman.train.packing import Rows, Stream

        self._sentinels(kit)
        length, _ = raw_length(kit.how.max_length, Spans(self.density, self.mean))
        streams = tuple(Stream(source) for source in texts.sources)
        return Rows(streams, texts.shares, length, kit.how.seed)

    def stream(self, net: EncoderDecoder, rows: Rows, kit: Kit, start: int) -> Iterator[tuple[TokenBatch, ...]]:
        """The batches of each step; which spans go depends on the seed and the number of the row alone."""
        import numpy as np

        from dragoman.train.corrupt import Spans, corrupt_documents
        from dragoman.train.token_batches import Row, stream_parts

        how, (first, count) = Spans(self.density, self.mean), self._sentinels(kit)
        end, begin = min(kit.tokenizer.eos_ids), net.arch.start_id

        def make(number: int) -> Row:
            line = rows.line(number)
            dice = np.random.default_rng([kit.how.seed & 0xFFFFFFFF, 2, number])
            ids, documents, labels, owners = corrupt_documents(line.ids, line.documents, first, end, dice, how, count)
            targets = np.concatenate(([begin], labels[:-1]))
            targets[1:][owners[1:] != owners[:-1]] = begin  # each document's answer begins anew
            return Row(line.name, ids, labels, documents, targets, owners)

        return stream_parts(rows, make, kit, start, kit.tokenizer.pad_id)

    def loss(self, net: EncoderDecoder, batch: TokenBatch, kit: Kit) -> Loss:
        """The sum of -log p over sentinels, spans and ends."""
        from dragoman.train.token_batches import word_loss

        assert batch.targets is not None
        states = net.states(
            batch.ids, None, batch.targets, segments=batch.segments, target_segments=batch.target_segments
        )  # [b, t, w]
        return Loss(word_loss(net, states, batch.labels))

    def _sentinels(self, kit: Kit) -> tuple[int, int]:
        """The id of the first sentinel and how many there are. Raises UserError where the tokenizer has none."""
        number = kit.tokenizer.number
        first, count = number("<extra_id_0>"), 0
        while first is not None and number(f"<extra_id_{count}>") == first - count:
            count += 1
        if first is None or not kit.tokenizer.eos_ids:
            raise UserError(
                "this tokenizer has no sentinels (<extra_id_0> ...) or no end token, which spans need",
                "train one that has: dragoman vocab SOURCE how.kind=unigram how.sentinels=100",
            )
        return first, count
