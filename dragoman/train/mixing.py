"""Several tasks learnt together: how much of each there is, and which task each row of a step comes from.

The share of a task goes with its examples up to a cap, evened out by a temperature. Which row is drawn is a pure
function of (seed, number): a killed run goes on without drawing again what it had.
"""

import hashlib
import math
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain, zip_longest

import numpy as np
from numpy.typing import NDArray

from dragoman.train.fitting import Fitted, replayed_rows
from dragoman.train.packing import Rows
from dragoman.train.proportions import mixed_rates
from dragoman.train.token_batches import Row

__all__ = ["Mixed", "Mixing", "mix"]

BLOCK = 1000  # rows drawn at a time: 20 microseconds, and so many are counted when a run goes on


@dataclass(frozen=True)
class Mixing:
    """Draws the task of each row, with these shares."""

    shares: tuple[float, ...]
    seed: int
    counted: dict[int, NDArray[np.int64]] = field(default_factory=dict, init=False, repr=False, compare=False)
    "of the newest block of rows: how many rows of each task were drawn before it"

    def draw(self, number: int) -> int:
        """The task of the row of that number."""
        return self.place(number)[0]

    def place(self, number: int) -> tuple[int, int]:
        """The task of the row of that number, and the how manieth row of its task it is, from 0."""
        block, place = divmod(number, BLOCK)
        tasks, before = _drawn(self.shares, self.seed, block)
        task = int(tasks[place])
        return task, int(self._before(block)[task] + before[place])

    def _before(self, block: int) -> NDArray[np.int64]:
        """Rows of each task in all blocks before this one; counting a million takes 20 ms."""
        known = self.counted.get(block)
        if known is None:
            first = max((one for one in self.counted if one < block), default=0)
            known = self.counted.get(first, np.zeros(len(self.shares), dtype=np.int64))
            for one in range(first, block):
                known = known + np.bincount(_drawn(self.shares, self.seed, one)[0], minlength=len(self.shares))
            self.counted.clear()
            self.counted[block] = known
        return known


@lru_cache(maxsize=8)
def _drawn(shares: tuple[float, ...], seed: int, block: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The tasks of a block of rows, and how many of the same task stand before each in it; [1000] each."""
    dice = np.random.default_rng([seed, block, len(shares)])
    edges = np.cumsum(shares)
    tasks = np.searchsorted(edges[:-1], dice.random(BLOCK), side="right")
    before = np.zeros(BLOCK, dtype=np.int64)
    for task in range(len(shares)):
        mine = tasks == task
        before[mine] = np.arange(int(mine.sum()))
    return tasks, before


@dataclass(frozen=True)
class Mixed:
    """The rows of several tasks, each going through epochs of its own in an order of its own; a Feed.

    An epoch has so many rows as hold every task's examples once, up to the cap.
    """

    names: tuple[str, ...]
    parts: tuple[Fitted, ...]
    mixing: Mixing
    epoch: int
    "rows of an epoch"
    replay: Rows | None = None
    share: float = 0.0
    "the share of a step's rows that are replayed"

    @property
    def cut(self) -> int:
        """Examples that were longer than a row, and shortened."""
        return sum(part.cut for part in self.parts)

    @property
    def dropped(self) -> int:
        """Examples that were left out: without a word to answer, or too long."""
        return sum(part.dropped for part in self.parts)

    @cached_property
    def rows(self) -> tuple[tuple[int, int], ...]:
        """(task, row) of every row there is, a row of each task in turn: whoever reads the first few reads of all."""
        turns = [[(task, row) for row in range(len(part.rows))] for task, part in enumerate(self.parts)]
        return tuple(one for one in chain.from_iterable(zip_longest(*turns)) if one is not None)

    def steps_an_epoch(self, batch: int) -> int:
        """How many steps an epoch has."""
        return -(-self.epoch // batch)

    def digest(self) -> str:
        """SHA-256 over the names, the rows and the shares of all tasks, and over what is replayed."""
        whole = hashlib.sha256(f"{self.names} {self.mixing.shares} {self.share}".encode())
        for part in self.parts:
            whole.update(part.digest().encode())
        whole.update(self.replay.digest().encode() if self.replay else b"")
        return whole.hexdigest()

    def words(self) -> Collection[int]:
        """None: the table of words learns whole."""
        return ()

    def batch(self, step: int, size: int) -> list[Row]:
        """The rows of a step: a pure function of (seed, step). Replayed ones come on top of them."""
        found = []
        for number in range(step * size, (step + 1) * size):
            task, place = self.mixing.place(number)
            found += self.parts[task].batch(place, 1)
        return found + replayed_rows(self.replay, self.share, step, size)

    def row(self, number: int) -> Row:
        """One of `rows`."""
        task, row = self.rows[number]
        return self.parts[task].row(row)


def mix(parts: dict[str, Fitted], cap: int, temperature: float, seed: int) -> Mixed:
    """The tasks by name as one mixture.

    The rates are those of examples. A row of short ones holds more of them, so it is drawn the less often.
    """
    fitted = tuple(parts.values())
    counts = [len(part.examples) for part in fitted]
    rates = mixed_rates(counts, cap, temperature)
    wanted = [rate * len(part.rows) / count for rate, part, count in zip(rates, fitted, counts, strict=True)]
    once = sum(len(part.rows) * min(count, cap) / count for part, count in zip(fitted, counts, strict=True))
    mixing = Mixing(tuple(one / math.fsum(wanted) for one in wanted), seed)
    return Mixed(tuple(parts), fitted, mixing, max(1, math.ceil(once - 1e-9)))
