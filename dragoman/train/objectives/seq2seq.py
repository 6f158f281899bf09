"""A text into another: an encoder-decoder reads the source and learns to write the answer and to stop (T5, BART)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from dragoman.core.errors import UserError
from dragoman.train.doors import Kit, Loss
from dragoman.train.objectives._writing import named, none_left, worded

if TYPE_CHECKING:
    from dragoman.core.types import Example
    from dragoman.nn.encdec import EncoderDecoder
    from dragoman.train.fitting import Fitted, Lesson, Written
    from dragoman.train.token_batches import TokenBatch

__all__ = ["Seq2seq"]


@dataclass(frozen=True)
class Seq2seq:
    """Every answer token is learnt (Sutskever et al. 2014; Raffel et al. 2020); a row holds several pairs."""

    needs: ClassVar[tuple[str, ...]] = ()
    kind: ClassVar[str] = "encoder-decoder"

    pack: bool = True
    "Put several pairs into a row of max_length tokens; else each has a row of its own and padding behind it."
    cut: Literal["right", "left", "drop"] = "right"
    "What happens to a source longer than max_length: its end goes, its beginning, or the example is left out."
    neftune: float = 0.0
    "Noise on the vectors of the source's words (NEFTune, Jain et al. 2023); 5 is usual, 0 is none."
    smoothing: float = 0.0
    "The share of each target that is spread over all words (Szegedy et al. 2015); 0.1 in Vaswani et al. 2017."

    def __post_init__(self) -> None:
        if not 0 <= self.neftune < float("inf"):
            raise UserError(f"neftune cannot be {self.neftune}", "it must be 0 or more: objective.neftune=5")
        if not 0 <= self.smoothing < 1:
            raise UserError(f"smoothing cannot be {self.smoothing}", "it must be at least 0 and below 1")

    def encode(self, net: EncoderDecoder, data: Lesson, kit: Kit) -> Fitted:
        """The pairs in rows of at most max_length tokens on either side. Raises UserError where none is left."""
        from dragoman.train.fitting import fit_rows

        kept: list[Written] = []
        cut = 0
        for row, example in enumerate(data.examples):
            made, long = self._written(net, example, row, kit)
            kept += [made] if made is not None else []
            cut += long and made is not None
        if not kept:
            raise none_left(len(data.examples), kit.how.max_length)
        dropped = len(data.examples) - len(kept)
        return fit_rows(kept, kit.how.max_length, kit.how.seed, self.pack, cut, dropped)

    def _written(self, net: EncoderDecoder, example: Example, row: int, kit: Kit) -> tuple[Written | None, bool]:
        """One pair in tokens, None where it is left out; and whether it was too long."""
        from dragoman.nn.marking import mark_pair
        from dragoman.train.fitting import Written, row_of
        from dragoman.train.token_batches import IGNORED

        room = kit.how.max_length
        if not worded(example) or not example.prompt:
            return None, False
        with named(example, row) as name:
            source, answer = mark_pair(kit.tokenizer, example.prompt, example.answers[0])
        long = len(source) > room or len(answer) > room
        if long and self.cut == "drop":
            return None, True
        before, after = kit.tokenizer.around
        if len(source) > room:  # what the model wants around a text stays around it
            inside = source[len(before) : len(source) - len(after)]
            most = room - len(before) - len(after)
            inside = inside[:most] if self.cut == "right" else inside[len(inside) - most :]
            source = [*before, *inside, *after]
        answer = answer[:room]  # an answer that was cut does not teach to stop
        targets = row_of([net.arch.start_id, *answer[:-1]])
        lead = len(kit.tokenizer.start(""))  # BART writes its <s> by itself when it answers
        labels = row_of([*[IGNORED] * lead, *answer[lead:]])
        return Written(name, row_of(source), labels, targets), long

    def stream(self, net: EncoderDecoder, fitted: Fitted, kit: Kit, start: int) -> Iterator[tuple[TokenBatch, ...]]:
        """The batches of each step."""
        from dragoman.train.fitting import stream_fitted

        return stream_fitted(fitted, kit, start)

    def loss(self, net: EncoderDecoder, batch: TokenBatch, kit: Kit) -> Loss:
        """The sum of -log p over the tokens of the answers."""
        from dragoman.train.neftune import noisy
        from dragoman.train.token_batches import word_loss

        assert batch.targets is not None
        with noisy(net, batch.segments, self.neftune):
            states = net.states(
                batch.ids, None, batch.targets, segments=batch.segments, target_segments=batch.target_segments
            )  # [b, t, w]
        return Loss(word_loss(net, states, batch.labels, few=True, smoothing=self.smoothing))
