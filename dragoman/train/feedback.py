"""Answers that were liked or not, in tokens, with what the untouched model thinks of them: what KTO learns from.

Each answer has a stranger beside it: the answer to another prompt, behind its own prompt. How much likelier strangers
have become is how far the model has moved from what it was, whatever it moved towards (Ethayarajh et al. 2024). Whose
stranger is whose stays for the whole training, so that the untouched model reads each of them once.
"""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.core.types import Example
from dragoman.train.batching import Orders, batches_of_epoch, own_parts, steps_an_epoch
from dragoman.train.choices import read_logs, row_alone, written_answer
from dragoman.train.doors import Kit
from dragoman.train.fitting import Lesson, Written
from dragoman.train.objectives._writing import named
from dragoman.train.token_batches import TokenBatch, filled
from dragoman.train.word_logs import row_sums

__all__ = ["Feedback", "LikedBatch", "feedback_of", "stream_feedback"]


@dataclass(frozen=True)
class LikedBatch:
    """n answers as one pass reads them."""

    rows: TokenBatch
    good: Bool[Tensor, " n"]
    reference: Float[Tensor, " n"]
    "log p of each answer by the model before it learnt"
    even: tuple[float, float]
    "what a liked and a disliked answer have to count for both kinds to count alike"
    moved: Float[Tensor, ""]
    "how much likelier strangers are than before, in the mean over the step, and 0 where they are not"

    @property
    def names(self) -> tuple[str, ...]:
        """What the answers are called."""
        return self.rows.names

    @property
    def weight(self) -> float:
        """Answers: what the sum of the losses is divided by."""
        return float(len(self.rows.names))

    @property
    def tokens(self) -> int:
        """Tokens that are read."""
        return self.rows.tokens


@dataclass(frozen=True)
class Feedback:
    """A training set of answers. Row i of `reference` is log p of answer i and of the stranger beside it."""

    answers: tuple[tuple[Written, Written], ...]
    good: tuple[bool, ...]
    seed: int
    reference: Float[Tensor, "n 2"]
    cut: int = 0
    "answers whose prompt was longer than there was room for, and shortened"
    dropped: int = 0
    "answers that were left out: blank or too long ones, and both of a pair that are equal"
    orders: Orders = field(default_factory=Orders, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.answers)

    def steps_an_epoch(self, batch: int) -> int:
        """How many steps see every answer once."""
        return steps_an_epoch(len(self.answers), batch)

    def digest(self) -> str:
        """SHA-256 over names, tokens, labels and thumbs."""
        whole = hashlib.sha256(bytes(self.good))
        for pair in self.answers:
            for one in pair:
                whole.update(one.bytes())
        return whole.hexdigest()

    def words(self) -> Collection[int]:
        """None: the table of words learns whole."""
        return ()

    def batch(self, step: int, size: int) -> list[int]:
        """The answers of a step: a pure function of (seed, step)."""

        def make(epoch: int) -> list[Any]:
            lengths = np.array([max(len(one.ids) for one in pair) for pair in self.answers], dtype=np.int64)
            return batches_of_epoch(lengths, size, self.seed, epoch)

        return [int(one) for one in self.orders.batch(step, size, self.steps_an_epoch(size), make)]

    @torch.no_grad()
    def moved(self, net: Any, places: Sequence[int], kit: Kit, at_once: int = 16) -> Float[Tensor, ""]:
        """How much likelier the strangers of these answers are than before, in nats; 0 where they are not."""
        total = torch.zeros((), device=kit.device)
        for first in range(0, len(places), at_once):
            some = list(places[first : first + at_once])
            rows = filled([row_alone(self.answers[place][1]) for place in some], kit.tokenizer.pad_id, kit.device)
            now = row_sums(net, rows.ids, rows.labels, rows.segments).float()  # [n]
            total += (now - self.reference[some, 1].to(kit.device)).sum()
        return (total / len(places)).clamp(min=0.0)

    def liked_batch(self, places: Sequence[int], moved: Float[Tensor, ""], kit: Kit) -> LikedBatch:
        """Those answers as one pass reads them."""
        rows = filled([row_alone(self.answers[place][0]) for place in places], kit.tokenizer.pad_id, kit.device)
        good = torch.tensor([self.good[place] for place in places], device=kit.device)
        return LikedBatch(rows, good, self.reference[list(places), 0].to(kit.device), self.even(), moved)

    def even(self) -> tuple[float, float]:
        """What a liked and a disliked answer have to count so that neither kind outweighs the other: the rarer more.

        Up to a third more liked ones are left as they are, the range in which the paper's weights lie.
        """
        liked, others = sum(self.good), len(self.good) - sum(self.good)
        if not liked or not others or 1 <= liked / others <= 4 / 3:
            return 1.0, 1.0
        return (1.0, liked / others) if liked > others else (others / liked, 1.0)


def feedback_of(net: Any, lesson: Lesson, kit: Kit) -> Feedback:
    """The answers in tokens. Raises UserError where fewer than two prompts are left, which have no strangers.

    A pair is one answer that was liked and one that was not; another row says it by its thumb, and without one it was
    liked. An answer is never cut, only the beginning of its prompt.
    """
    liked = [one for example in lesson.examples for one in _liked(example)]
    named_answers = sum(1 + bool(example.rejected) for example in lesson.examples)
    kept: list[tuple[_Liked, Written]] = []
    cut = 0
    for place, one in enumerate(liked):
        with named(one.example, place) as name:
            found = written_answer(one.example.prompt, one.text, f"{name}/{'up' if one.good else 'down'}", kit)
        if found is not None:
            kept.append((one, found[0]))
            cut += found[1]
    strangers = _strangers([one for one, _ in kept], kit)
    found_all = zip(kept, strangers, strict=True)
    told = [((own, stranger), one.good) for (one, own), stranger in found_all if stranger is not None]
    pairs, good = tuple(pair for pair, _ in told), tuple(up for _, up in told)
    if not pairs:
        raise UserError(
            f"{len(lesson.examples)} examples hold no answers to two prompts within {kit.how.max_length} tokens",
            "give more rows with a thumb, or with chosen and rejected; or more room: train.max_length=1024",
        )
    reference = read_logs(net, pairs, kit)
    return Feedback(pairs, good, kit.how.seed, reference, cut, named_answers - len(pairs))


def stream_feedback(net: Any, feedback: Feedback, kit: Kit, start: int) -> Iterator[tuple[LikedBatch, ...]]:
    """The batches of each step from step `start` on: its answers, those of this process, in `accumulation` parts.

    The strangers of a step are read before its first part, all of them by every process, so that the parts of a step
    share one figure: a mean over a few answers that is then held at 0 or above is too high on average.
    """
    while True:
        places = feedback.batch(start, kit.how.batch)
        moved = feedback.moved(net, places, kit)
        yield tuple(feedback.liked_batch(part, moved, kit) for part in own_parts(places, kit))
        start += 1


@dataclass(frozen=True)
class _Liked:
    """One answer, whose it is, and whether it was liked."""

    example: Example
    text: str
    good: bool


def _liked(example: Example) -> list[_Liked]:
    """The answers of an example that say something: of a pair both, unless they are equal."""
    own, other = (example.answers[0] if example.answers else ""), example.rejected
    if not example.prompt or own.strip() == other.strip():
        return []
    found = [_Liked(example, own, bool(example.meta.get("good", True))), _Liked(example, other, False)]
    return [one for one in found if one.text.strip()]


def _strangers(liked: Sequence[_Liked], kit: Kit) -> list[Written | None]:
    """Behind the prompt of each answer the next answer to another prompt; None where there is none that fits."""
    found: list[Written | None] = []
    for place, first in enumerate(_followers([one.example.prompt for one in liked])):
        prompt, stranger = liked[place].example.prompt, None
        for step in range(len(liked) if first >= 0 else 0):
            other = liked[(first + step) % len(liked)]
            if other.example.prompt != prompt:
                stranger = written_answer(prompt, other.text, "stranger", kit)
            if stranger is not None:
                break
        found.append(stranger[0] if stranger is not None else None)
    return found


def _followers(prompts: Sequence[Any]) -> list[int]:
    """The place of the next prompt that is another one, round the end; -1 where all are the same."""
    count = len(prompts)
    found = [-1] * count
    for place in range(2 * count - 1, -1, -1):  # twice, since the last ones follow those of the beginning
        here, following = place % count, (place + 1) % count
        found[here] = found[following] if prompts[here] == prompts[following] else following
    return found
