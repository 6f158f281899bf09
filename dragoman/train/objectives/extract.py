"""Questions into spans of their context: where the answer begins and where it ends, two choices among the tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dragoman.core.errors import UserError
from dragoman.core.types import Example
from dragoman.train.doors import Batch, Encoded, Kit, Loss

if TYPE_CHECKING:
    from dragoman.nn.heads import Extractor
    from dragoman.nn.questions import Passage

__all__ = ["Extract"]


@dataclass(frozen=True)
class Extract:
    """SQuAD (Rajpurkar et al. 2016) as BERT learns it: a long context is read in windows that overlap.

    A window that does not hold the whole answer points at the first token, which no answer is.
    """

    needs: ClassVar[tuple[str, ...]] = ()

    empty_weight: float = 1.0
    "How much a window without the answer counts beside one with it; 0 leaves such windows out."

    def __post_init__(self) -> None:
        if not 0 <= self.empty_weight < float("inf"):
            raise UserError(f"empty_weight cannot be {self.empty_weight}", "it must be 0 or more")

    def encode(self, net: Extractor, examples: Sequence[Example], kit: Kit) -> Encoded:
        """Each window a row of token ids, its target the places of the answer's first and last token.

        The answer learnt is the first of those accepted. Raises UserError at an empty set, at an example without an
        answer, and where an answer does not stand where it is said to.
        """
        import torch

        from dragoman.nn.questions import Pairing, read_passages, split_prompt

        if not examples:
            raise UserError("there are no examples to learn from", "look at the data with: dragoman check")
        names: list[str] = []
        rows: list[tuple[int, ...]] = []
        targets: list[tuple[int, int]] = []
        asked = [split_prompt(example.text) for example in examples]
        passages = read_passages(kit.tokenizer, Pairing.of(kit.tokenizer, net.arch), asked, kit.how.max_length)
        for number, (example, (context, _), windows) in enumerate(zip(examples, asked, passages, strict=True)):
            name = str(example.meta.get("id", f"row {number}"))
            begin, end = _characters(example, context, name)
            for part, passage in enumerate(windows):
                target = _target(passage, begin, end)
                if target != (0, 0) or self.empty_weight:
                    names.append(f"{name} part {part + 1}" if part else name)
                    rows.append(passage.ids)
                    targets.append(target)
        if not any(target != (0, 0) for target in targets):
            raise UserError("no window holds a whole answer", "read more at a time: train.max_length=384")
        weights = [self.empty_weight if target == (0, 0) else 1.0 for target in targets]
        return Encoded(tuple(names), rows, torch.tensor(targets), torch.tensor(weights))

    def stream(self, net: Extractor, encoded: Encoded, kit: Kit, start: int) -> Iterator[tuple[Batch, ...]]:
        """The batches of each step, of windows of like length."""
        import numpy as np

        from dragoman.train.batching import parts, stream_rows

        lengths = np.array([len(ids) for ids in encoded.ids])
        for rows in stream_rows(lengths, kit.how.batch, kit.how.seed, start):
            yield parts(encoded, rows, kit)

    def loss(self, net: Extractor, batch: Batch, kit: Kit) -> Loss:
        """Each window's loss, the mean of its start's and its end's, times its weight, summed.

        Both are chosen among the context and the first token, as they are when it answers: the question and the padding
        take no part.
        """
        import torch
        from torch.nn import functional

        from dragoman.nn.questions import Pairing

        pairing = Pairing.of(kit.tokenizer, net.arch)
        logits = net(batch.ids, batch.mask, pairing.second(batch.ids)).float()  # [b, s, 2]
        allowed = pairing.allowed(batch.ids, batch.mask)  # [b, s]
        logits = logits.masked_fill(~allowed[:, :, None], -torch.inf).transpose(1, 2)  # [b, 2, s]
        both = functional.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), reduction="none")  # [2 b]
        return Loss((both.view(-1, 2).mean(1) * batch.weights).sum())


def _characters(example: Example, context: str, name: str) -> tuple[int, int]:
    """From which to which character of the context the first accepted answer stands."""
    if not example.answers or not example.answers[0].strip():
        raise UserError(f"example {name} has no answer", "give each question an answer that stands in its context")
    answer, starts = example.answers[0], example.meta.get("starts") or ()
    begin = int(starts[0]) if starts else context.find(answer)
    if begin < 0 or context[begin : begin + len(answer)] != answer:
        where = f"at character {begin} of its context" if starts else "in its context"
        raise UserError(
            f"the answer {answer!r} of example {name} does not stand {where}", "look at the data with: dragoman check"
        )
    return begin, begin + len(answer)


def _target(passage: Passage, begin: int, end: int) -> tuple[int, int]:
    """The places of the answer's first and last token in the row; (0, 0) where the window does not hold all of it."""
    from dragoman.nn.questions import token_span

    if not passage.spans or begin < passage.spans[0][0] or end > passage.spans[-1][1]:
        return 0, 0
    held = token_span(passage.spans, begin, end)
    return (passage.start + held[0], passage.start + held[1]) if held else (0, 0)
