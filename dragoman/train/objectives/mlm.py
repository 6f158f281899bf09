"""Words behind masks: an encoder says which words were hidden, drawn anew in every pass (BERT 2018, RoBERTa 2019)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dragoman.core.errors import UserError
from dragoman.train.doors import Kit, Loss

if TYPE_CHECKING:
    from dragoman.nn.masked import MaskedLM
    from dragoman.train.packing import Rows, Texts
    from dragoman.train.token_batches import TokenBatch

__all__ = ["Mlm"]


@dataclass(frozen=True)
class Mlm:
    """Masked language modelling on packed rows (Devlin et al. 2018), each pass with other masks (Liu et al. 2019).

    Of the chosen tokens 80 % become the mask, 10 % another word and 10 % stay; special tokens are never chosen.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    kind: ClassVar[str] = "encoder"

    share: float = 0.15
    "The share of tokens that are chosen."
    whole_words: bool = False
    "Choose words with all their tokens: the rest of a word would give its masked piece away."

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise UserError(f"share cannot be {self.share}", "it must be above 0 and below 1: objective.share=0.15")

    def encode(self, net: MaskedLM, texts: Texts, kit: Kit) -> Rows:
        """The texts as rows of max_length tokens, with what the tokenizer puts around each document."""
        from dragoman.train.packing import Rows, Stream

        if kit.tokenizer.mask_id is None:
            raise UserError(
                "this tokenizer has no mask token, so nothing can be masked",
                "train one that has: dragoman vocab SOURCE how.kind=wordpiece",
            )
        before, after = kit.tokenizer.around
        streams = tuple(Stream(source, before, after) for source in texts.sources)
        return Rows(streams, texts.shares, kit.how.max_length, kit.how.seed)

    def stream(self, net: MaskedLM, rows: Rows, kit: Kit, start: int) -> Iterator[tuple[TokenBatch, ...]]:
        """The batches of each step; which tokens are masked depends on the seed and the number of the row alone."""
        import numpy as np

        from dragoman.train.corrupt import mask_words, words_of
        from dragoman.train.token_batches import Row, stream_parts

        tokenizer = kit.tokenizer
        ids = np.arange(tokenizer.size)
        special = np.isin(ids, sorted(tokenizer.control_ids))
        words, inner = ids[~special], words_of(tokenizer.tokens(ids.tolist())) if self.whole_words else None

        def make(number: int) -> Row:
            line = rows.line(number)
            dice = np.random.default_rng([kit.how.seed & 0xFFFFFFFF, 1, number])
            holes, labels = mask_words(
                line.ids,
                special[line.ids],
                int(tokenizer.mask_id),
                words,
                dice,
                self.share,
                None if inner is None else inner[line.ids],
            )
            return Row(line.name, holes, labels, line.documents)

        return stream_parts(rows, make, kit, start, tokenizer.pad_id)

    def loss(self, net: MaskedLM, batch: TokenBatch, kit: Kit) -> Loss:
        """The sum of -log p over the chosen tokens; the word matrix is asked at those places alone."""
        from dragoman.train.token_batches import word_loss

        states = net.states(batch.ids, segments=batch.segments)  # [b, s, w]
        return Loss(word_loss(net, states, batch.labels, few=True))
