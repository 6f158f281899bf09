"""Instructions and dialogues: a decoder learns what the assistant said, and to stop, and nothing it was given to read.

Supervised fine-tuning as in InstructGPT (Ouyang et al. 2022); many tasks in one set make it FLAN (Wei et al. 2021).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from dragoman.core.errors import UserError
from dragoman.train.doors import Kit, Loss

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
    """What happens to an example longer than max_length: the beginning of its prompt goes, the end of its answer (which
    then teaches no stop), or it is left out."""
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

        from dragoman.train.fitting import fit_rows, shorten
        from dragoman.train.objectives.clm import Clm

        room = kit.how.max_length
        whole = [one for row, example in enumerate(data.examples) for one in self._written(example, row, kit)]
        long = sum(len(one.ids) > room for one in whole)
        kept = [one for one in (shorten(one, room, self.cut) for one in whole) if one is not None and one.learnt]
        if not kept:
            raise UserError(
                f"labels-all-masked: of {len(whole)} examples none has an answer within {room} tokens",
                "give them more room: train.max_length=1024, or look at the data with dragoman check",
            )
        fitted = fit_rows(kept, room, kit.how.seed, self.pack, long, len(whole) - len(kept))
        if data.replay is None or not self.replay:
            return fitted
        return replace(fitted, replay=Clm().encode(net, data.replay, kit), share=self.replay)

    def _written(self, example: Example, row: int, kit: Kit) -> list[Written]:
        """One example as rows of its own: one, or one an answer where the chat template changes what was said."""
        from dragoman.core.types import Message
        from dragoman.nn.marking import Marked, mark_turns
        from dragoman.train.fitting import Written
        from dragoman.train.token_batches import IGNORED

        name = str(example.meta.get("id", f"row {row}"))
        if not example.answers:
            return []
        tokenizer = kit.tokenizer
        if example.prompt:
            found = mark_turns(
                tokenizer, [*example.prompt, Message("assistant", example.answers[0])], self.turns == "every"
            )
        else:
            ids = [*tokenizer.start(example.answers[0]), min(tokenizer.eos_ids)]
            found = [Marked(tuple(ids), (False, *[True] * (len(ids) - 1)), ids[-1])]
        written = []
        for number, one in enumerate(found):
            # At each place the token behind it is predicted: the last one, the stop, is never read.
            following = zip(one.ids[1:], one.learnt[1:], strict=True)
            labels = tuple(token if learnt else IGNORED for token, learnt in following)
            written.append(Written(f"{name}:{number}" if len(found) > 1 else name, one.ids[:-1], labels))
        return written

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
