"""Instructions and dialogues: a decoder learns what the assistant said, and to stop, and nothing it was given to read.

Supervised fine-tuning as in InstructGPT (Ouyang et al. 2022); many tasks in one set make it FLAN (Wei et al. 2021).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from dragoman.core.errors import UserError
from dragoman.train.doors import Kit, Loss
from dragoman.train.objectives._writing import named, none_left, worded

if TYPE_CHECKING:
    from dragoman.core.types import Example
    from dragoman.nn.decoder import Decoder
    from dragoman.train.fitting import Fitted, Lesson, Written
    from dragoman.train.token_batches import TokenBatch

__all__ = ["Sft"]


@dataclass(frozen=True)
class Sft:
    """The loss is the sum over learnt tokens divided by their number in the whole step, however it is cut into parts.

    An example without a prompt is plain text, which is learnt whole.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    kind: ClassVar[str] = "decoder"

    turns: Literal["every", "last"] = "every"
    "Which answers of a dialogue are learnt: every one of the assistant's, or the last."
    pack: bool = True
    "Put several examples into a row of max_length tokens; else each has a row of its own and padding behind it."
    cut: Literal["left", "right", "drop"] = "left"
    """What happens to an example longer than max_length: its oldest turns and the beginning of its question go, the end
    of its answer (which then teaches no stop), or it is left out."""
    neftune: float = 0.0
    "Noise on the vectors of words (NEFTune, Jain et al. 2023); 5 is usual, 0 is none."
    replay: float = 0.0
    "The share of a step that is text the model knew before, so that it forgets less; 0.25 is one row in four."

    def __post_init__(self) -> None:
        if not 0 <= self.neftune < float("inf"):
            raise UserError(f"neftune cannot be {self.neftune}", "it must be 0 or more: objective.neftune=5")
        if not 0 <= self.replay < 1:
            raise UserError(f"replay cannot be {self.replay}", "it is a share below 1: objective.replay=0.25")

    def encode(self, net: Decoder, data: Lesson, kit: Kit) -> Fitted:
        """The examples in rows of max_length tokens. Raises UserError where nothing is left to learn."""
        from dataclasses import replace

        from dragoman.train.fitting import fit_rows
        from dragoman.train.objectives.clm import Clm

        kept: list[Written] = []
        cut = dropped = 0
        for row, example in enumerate(data.examples):
            found, long = self._written(example, row, kit)
            kept += found
            cut += long and bool(found)
            dropped += not found
        if not kept:
            raise none_left(len(data.examples), kit.how.max_length)
        fitted = fit_rows(kept, kit.how.max_length, kit.how.seed, self.pack, cut, dropped)
        if data.replay is None or not self.replay:
            return fitted
        return replace(fitted, replay=Clm().encode(net, data.replay, kit), share=self.replay)

    def _written(self, example: Example, row: int, kit: Kit) -> tuple[list[Written], bool]:
        """One example as rows of its own: one, or one an answer where the chat template changes what was said; none
        where nothing is left to learn. And whether it was too long."""
        from dragoman.core.types import Message
        from dragoman.nn.marking import mark_text, mark_turns
        from dragoman.nn.shortening import shorten_beginning
        from dragoman.train.fitting import Written, row_of, shorten
        from dragoman.train.token_batches import IGNORED

        if not worded(example):
            return [], False
        tokenizer, room, every = kit.tokenizer, kit.how.max_length, self.turns == "every"
        with named(example, row) as name:
            if example.prompt:
                found = mark_turns(tokenizer, [*example.prompt, Message("assistant", example.answers[0])], every)
            else:
                found = [mark_text(tokenizer, example.answers[0])]
            long = any(len(one.ids) - 1 > room for one in found)
            short = [shorten_beginning(tokenizer, one, room) if self.cut == "left" else one for one in found]
        written = []
        for number, one in enumerate(short):
            if one is None:
                continue
            # At each place the token behind it is predicted: the last one, the stop, is never read.
            following = zip(one.ids[1:], one.learnt[1:], strict=True)
            labels = row_of([token if learnt else IGNORED for token, learnt in following])
            whole = Written(f"{name}:{number}" if len(found) > 1 else name, row_of(one.ids[:-1]), labels)
            kept = shorten(whole, room, self.cut)
            written += [kept] if kept is not None and kept.learnt else []
        return written, long

    def stream(self, net: Decoder, fitted: Fitted, kit: Kit, start: int) -> Iterator[tuple[TokenBatch, ...]]:
        """The batches of each step."""
        from dragoman.train.fitting import stream_fitted

        return stream_fitted(fitted, kit, start)

    def loss(self, net: Decoder, batch: TokenBatch, kit: Kit) -> Loss:
        """The sum of -log p over the tokens that are learnt; logits are computed for those alone."""
        from dragoman.train.neftune import noisy
        from dragoman.train.token_batches import word_loss

        with noisy(net, batch.segments, self.neftune):
            states = net.states(batch.ids, segments=batch.segments)  # [b, s, w]
        return Loss(word_loss(net, states, batch.labels, few=True))
