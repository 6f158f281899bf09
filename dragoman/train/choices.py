"""Two answers to one prompt, of which one was chosen: in tokens, with what the untouched model thinks of both.

The reference is the model before it learns. What it says does not change, so it reads every answer once, before the
first step, and no second model is kept in memory whichever weights learn.
"""

import copy
import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message
from dragoman.nn.marking import mark
from dragoman.nn.shortening import shorten_beginning
from dragoman.train.batching import Orders, batches_of_epoch, own_parts, steps_an_epoch
from dragoman.train.doors import Kit
from dragoman.train.fitting import Lesson, Written, row_of
from dragoman.train.objectives._writing import named
from dragoman.train.token_batches import IGNORED, Row, TokenBatch, filled
from dragoman.train.word_logs import row_sums

__all__ = ["Choices", "PairBatch", "choices_of", "read_logs", "row_alone", "stream_choices", "written_answer"]

AT_ONCE = 16  # answers that the reference reads in one pass


@dataclass(frozen=True)
class PairBatch:
    """n pairs as one pass reads them: the chosen answers are the first n rows, the rejected ones the last n."""

    rows: TokenBatch
    reference: Float[Tensor, " rows"]
    "log p of each row's answer by the model before it learnt; empty where no reference is needed"

    @property
    def names(self) -> tuple[str, ...]:
        """What the pairs are called."""
        return self.rows.names[: len(self.rows.names) // 2]

    @property
    def weight(self) -> float:
        """Pairs: what the sum of the losses is divided by."""
        return float(len(self.names))

    @property
    def tokens(self) -> int:
        """Tokens that are read."""
        return self.rows.tokens


@dataclass(frozen=True)
class Choices:
    """A training set of pairs. Row i of `reference` is log p of the chosen and of the rejected answer of pair i."""

    pairs: tuple[tuple[Written, Written], ...]
    seed: int
    reference: Float[Tensor, "n 2"]
    cut: int = 0
    "pairs whose prompt was longer than there was room for, and shortened"
    dropped: int = 0
    "pairs that were left out: equal, blank or too long answers"
    orders: Orders = field(default_factory=Orders, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.pairs)

    def steps_an_epoch(self, batch: int) -> int:
        """How many steps see every pair once."""
        return steps_an_epoch(len(self.pairs), batch)

    def digest(self) -> str:
        """SHA-256 over names, tokens and labels; what the reference says follows from them and from its weights."""
        whole = hashlib.sha256()
        for pair in self.pairs:
            for one in pair:
                whole.update(one.bytes())
        return whole.hexdigest()

    def words(self) -> Collection[int]:
        """None: the table of words learns whole."""
        return ()

    def batch(self, step: int, size: int) -> list[int]:
        """The pairs of a step: a pure function of (seed, step)."""

        def make(epoch: int) -> list[Any]:
            lengths = np.array([max(len(one.ids) for one in pair) for pair in self.pairs], dtype=np.int64)
            return batches_of_epoch(lengths, size, self.seed, epoch)

        return [int(one) for one in self.orders.batch(step, size, self.steps_an_epoch(size), make)]

    def pair_batch(self, places: Sequence[int], kit: Kit) -> PairBatch:
        """Those pairs as one pass reads them."""
        rows = [row_alone(self.pairs[place][side]) for side in (0, 1) for place in places]
        reference = self.reference[list(places)].t().flatten() if len(self.reference) else self.reference[:, 0]
        return PairBatch(filled(rows, kit.tokenizer.pad_id, kit.device), reference.to(kit.device))


def choices_of(net: Any, lesson: Lesson, kit: Kit, with_reference: bool) -> Choices:
    """The pairs in tokens. Raises UserError where none is left to learn from.

    An answer is never cut: the beginning of a prompt that is too long goes, and a pair whose answer alone is too long
    is left out. A pair without a rejected answer, with two equal ones or a blank one teaches nothing and is left out.
    """
    kept: list[tuple[Written, Written]] = []
    cut, examples = 0, lesson.examples
    for place, example in enumerate(examples):
        if not _tells(example):
            continue
        with named(example, place) as name:
            found = [
                written_answer(example.prompt, text, f"{name}/{side}", kit)
                for side, text in (("chosen", example.answers[0]), ("rejected", example.rejected))
            ]
        one, other = found
        if one is None or other is None:
            continue
        kept.append((one[0], other[0]))
        cut += one[1] or other[1]
    if not kept:
        raise UserError(
            f"of {len(examples)} examples none is a pair of two different answers within {kit.how.max_length} tokens",
            "give rows with chosen and rejected, or more room: train.max_length=1024",
        )
    reference = read_logs(net, kept, kit) if with_reference else torch.empty(0, 2)
    return Choices(tuple(kept), kit.how.seed, reference, cut, len(examples) - len(kept))


def written_answer(prompt: Sequence[Message], answer: str, name: str, kit: Kit) -> tuple[Written, bool] | None:
    """An answer behind its prompt, the prompt shortened where it must be, and whether it was; None where it cannot."""
    marked = mark(kit.tokenizer, [*prompt, Message("assistant", answer)], every=False)
    short = shorten_beginning(kit.tokenizer, marked, kit.how.max_length)
    if short is None or len(short.ids) - 1 > kit.how.max_length:
        return None
    following = zip(short.ids[1:], short.learnt[1:], strict=True)
    labels = row_of([token if learnt else IGNORED for token, learnt in following])
    return Written(name, row_of(short.ids[:-1]), labels), len(short.ids) < len(marked.ids)


def stream_choices(choices: Choices, kit: Kit, start: int) -> Iterator[tuple[PairBatch, ...]]:
    """The batches of each step from step `start` on: its pairs, those of this process, in `accumulation` parts."""
    while True:
        parts = own_parts(choices.batch(start, kit.how.batch), kit)
        yield tuple(choices.pair_batch(part, kit) for part in parts)
        start += 1


def _tells(example: Example) -> bool:
    """Whether two answers with a word in each differ."""
    chosen, rejected = (example.answers[0].strip() if example.answers else ""), example.rejected.strip()
    return bool(example.prompt and chosen and rejected and chosen != rejected)


@torch.no_grad()
def read_logs(net: Any, pairs: Sequence[tuple[Written, Written]], kit: Kit) -> Float[Tensor, "n 2"]:
    """log p of both answers of each pair, without dropout, in the precision that the training computes in."""
    light = copy.deepcopy(net).bfloat16() if kit.precision == "bf16" else net
    light = light.to(kit.device).eval()
    flat = [one for pair in pairs for one in pair]
    order = sorted(range(len(flat)), key=lambda place: len(flat[place].ids))
    found = torch.zeros(len(flat))
    for first in range(0, len(order), AT_ONCE):
        places = order[first : first + AT_ONCE]
        batch = filled([row_alone(flat[place]) for place in places], kit.tokenizer.pad_id, kit.device)
        found[places] = row_sums(light, batch.ids, batch.labels, batch.segments).float().cpu()
    return found.view(-1, 2)


def row_alone(one: Written) -> Row:
    """An answer in a row of its own."""
    wide = one.ids.astype(np.int64)
    return Row(one.name, wide, one.labels.astype(np.int64), np.zeros(len(wide), dtype=np.int64))
