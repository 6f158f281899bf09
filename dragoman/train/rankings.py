"""Pairs of answers for a model that scores them: in tokens, those of one prompt in one step.

Pairs of one prompt share their answers, so spread over steps each answer would be learnt many times and the model would
overfit in one epoch (InstructGPT, Ouyang et al. 2022, section 3.5).
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.nn.padding import pad
from dragoman.nn.replies import Replies
from dragoman.train.batching import POOL, Orders, own_parts, steps_an_epoch, to_device
from dragoman.train.doors import Kit
from dragoman.train.fitting import Lesson

__all__ = ["RankBatch", "Rankings", "rankings_of", "stream_rankings"]


@dataclass(frozen=True)
class RankBatch:
    """n pairs as one pass reads them: the chosen answers are the first n rows, the rejected ones the last n."""

    names: tuple[str, ...]
    ids: Int[Tensor, "rows s"]
    mask: Bool[Tensor, "rows s"] | None
    types: Int[Tensor, "rows s"] | None
    margins: Float[Tensor, " n"]
    "by how much the chosen answer is better, as the data says; 0 where it does not"
    tokens: int

    @property
    def weight(self) -> float:
        """Pairs: what the sum of the losses is divided by."""
        return float(len(self.names))


@dataclass(frozen=True)
class Rankings:
    """A training set of pairs: the rows of tokens of the chosen and the rejected answer, and which prompt is theirs."""

    names: tuple[str, ...]
    rows: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    margins: tuple[float, ...]
    places: tuple[int, ...]
    "which of the examples each pair is"
    bundles: tuple[tuple[int, ...], ...]
    "the pairs of each prompt"
    replies: Replies
    seed: int
    cut: int = 0
    "pairs whose prompt was longer than there was room for, and shortened"
    dropped: int = 0
    "pairs that were left out: equal, blank or too long answers"
    orders: Orders = field(default_factory=Orders, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.names)

    def steps_an_epoch(self, batch: int) -> int:
        """How many steps see every pair once."""
        return steps_an_epoch(len(self.rows), batch)

    def digest(self) -> str:
        """SHA-256 over names, tokens and margins of all pairs, and over who shares a prompt."""
        whole = hashlib.sha256(repr((self.names, self.margins, self.bundles)).encode("utf-8", "surrogatepass"))
        for pair in self.rows:
            for row in pair:
                whole.update(np.array([len(row), *row], dtype=np.int64).tobytes())
        return whole.hexdigest()

    def words(self) -> Collection[int]:
        """None: the table of words learns whole."""
        return ()

    def batch(self, step: int, size: int) -> list[int]:
        """The pairs of a step of about `size`: a pure function of (seed, step)."""
        steps = self.steps_an_epoch(size)
        found: list[int] = self.orders.batch(step, size, steps, lambda epoch: self._epoch(epoch, size))
        return found

    def rank_batch(self, places: Sequence[int], kit: Kit) -> RankBatch:
        """Those pairs as one pass reads them."""
        rows = [self.rows[place][side] for side in (0, 1) for place in places]
        ids, mask = pad(rows, kit.tokenizer.pad_id)  # [2n, s] each
        types = self.replies.types(ids)
        return RankBatch(
            names=tuple(self.names[place] for place in places),
            ids=to_device(ids, kit.device),
            mask=None if mask is None else to_device(mask, kit.device),
            types=None if types is None else to_device(types, kit.device),
            margins=to_device(torch.tensor([self.margins[place] for place in places]), kit.device),
            tokens=sum(len(row) for row in rows),
        )

    def _epoch(self, epoch: int, size: int) -> list[list[int]]:
        """The pairs of each step. Of like length, as in `train.batching`, but a prompt's pairs stay together: a step
        has up to `size` pairs more or fewer; only a prompt with more than `size` of them is cut."""
        dice = np.random.default_rng([self.seed, epoch])
        bundles = [one[first : first + size] for one in self.bundles for first in range(0, len(one), size)]
        longest = np.array([max(len(row) for place in one for row in self.rows[place]) for one in bundles])
        order: list[int] = []
        for part in _pools(dice.permutation(len(bundles)), [len(one) for one in bundles], size * POOL):
            order += [int(one) for one in part[np.argsort(longest[part], kind="stable")]]
        found: list[list[int]] = [[] for _ in range(self.steps_an_epoch(size))]
        begun = 0
        for place, number in enumerate(order):
            # The step in which it begins; the last bundles are kept for the last steps, which would else be empty.
            step = max(begun // size, len(found) - (len(order) - place))
            found[step] += bundles[number]
            begun += len(bundles[number])
        return [found[int(place)] for place in dice.permutation(len(found))]


def _pools(order: NDArray[np.int64], sizes: Sequence[int], most: int) -> Iterator[NDArray[np.int64]]:
    """An order cut where the sizes add up to `most`."""
    pools = np.cumsum([sizes[int(one)] for one in order]) // (most + 1)
    for number in range(int(pools[-1]) + 1):
        part = order[pools == number]
        if len(part):
            yield part


def rankings_of(net: Any, lesson: Lesson, kit: Kit) -> Rankings:
    """The pairs in tokens. Raises UserError where none is left to learn from.

    An answer is never cut: the beginning of a prompt that is too long goes, and a pair with an answer that alone is too
    long is left out. A pair without a rejected answer, with two equal ones or a blank one teaches nothing and is left
    out.
    """
    examples, replies = lesson.examples, Replies(kit.tokenizer, net.arch)
    told = [place for place, one in enumerate(examples) if _tells(one.answers[0] if one.answers else "", one.rejected)]
    prompts = [examples[place].prompt for place in told]
    chosen = replies.read(prompts, [examples[place].answers[0] for place in told], kit.how.max_length)
    rejected = replies.read(prompts, [examples[place].rejected for place in told], kit.how.max_length)
    places: list[int] = []
    rows: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    cut = 0
    bundles: dict[Any, list[int]] = defaultdict(list)
    for place, (one, _), (other, _) in zip(told, chosen, rejected, strict=True):
        if one is None or other is None:
            continue
        bundles[examples[place].prompt].append(len(rows))
        places.append(place)
        rows.append((one.ids, other.ids))
        cut += one.cut or other.cut
    if not rows:
        raise UserError(
            f"of {len(examples)} examples none is a pair of two different answers within {kit.how.max_length} tokens",
            "give rows with chosen and rejected, or more room: train.max_length=1024",
        )
    return Rankings(
        names=tuple(str(examples[place].meta.get("id", f"row {place}")) for place in places),
        rows=tuple(rows),
        margins=tuple(float(examples[place].meta.get("margin") or 0.0) for place in places),
        places=tuple(places),
        bundles=tuple(tuple(one) for one in bundles.values()),
        replies=replies,
        seed=kit.how.seed,
        cut=cut,
        dropped=len(examples) - len(rows),
    )


def stream_rankings(rankings: Rankings, kit: Kit, start: int) -> Iterator[tuple[RankBatch, ...]]:
    """The batches of each step from step `start` on: its pairs, those of this process, in `accumulation` parts."""
    while True:
        parts = own_parts(rankings.batch(start, kit.how.batch), kit)
        yield tuple(rankings.rank_batch(part, kit) for part in parts)
        start += 1


def _tells(chosen: str, rejected: str) -> bool:
    """Whether two answers with a word in each differ."""
    one, other = chosen.strip(), rejected.strip()
    return bool(one and other and one != other)
