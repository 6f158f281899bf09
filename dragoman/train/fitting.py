"""Examples put into rows of tokens: whole ones side by side in a row, none cut in two, none seeing another.

Which examples share a row is decided once, by best fit (each into the fullest row that still has room, the longest
first), so an epoch has the same rows in another order: 97 to 99 % of the places hold a token where texts are short,
against half in rows of one example each. The loss does not change: each example is a document of its own (nn.segments).
"""

import hashlib
from bisect import bisect_left, insort
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dragoman.core.types import Example
from dragoman.train.batching import Orders, batches_of_epoch, steps_an_epoch
from dragoman.train.doors import Kit
from dragoman.train.packing import Rows, Texts
from dragoman.train.token_batches import IGNORED, Row, TokenBatch, filled

__all__ = [
    "Fitted",
    "Lesson",
    "Stepped",
    "Written",
    "best_fit",
    "fit_rows",
    "replayed_rows",
    "row_of",
    "shorten",
    "stream_fitted",
]

Ids = NDArray[np.int64]
Row32 = NDArray[np.int32]


def row_of(numbers: Sequence[int]) -> Row32:
    """Token ids or labels in four bytes each."""
    return np.array(numbers, dtype=np.int32)


@dataclass(frozen=True)
class Lesson:
    """What a model that writes learns from: examples, and texts that keep it from forgetting (see `replay`)."""

    examples: Sequence[Example]
    replay: Texts | None = None

    def __len__(self) -> int:
        return len(self.examples)


@dataclass(frozen=True, eq=False)
class Written:
    """One example in tokens: `ids` are read, and `labels` say what is to be predicted at each place, -100 nothing.

    Of an encoder-decoder `ids` are the source, `targets` what the decoder reads, and `labels` belong to those. Twelve
    bytes a token: tuples would take fifty.
    """

    name: str
    ids: Row32
    labels: Row32
    targets: Row32 = field(default_factory=lambda: row_of(()))

    @property
    def learnt(self) -> int:
        """How many tokens are to be predicted."""
        return int((self.labels != IGNORED).sum())

    def bytes(self) -> bytes:
        """All of it, and no two the same."""
        sizes = f"{len(self.name)} {len(self.ids)} {len(self.labels)} {len(self.targets)} {self.name}"
        return sizes.encode("utf-8", "surrogatepass") + b"".join(
            one.tobytes() for one in (self.ids, self.labels, self.targets)
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Written) and self.bytes() == other.bytes()

    def __hash__(self) -> int:
        return hash(self.bytes())


@dataclass(frozen=True)
class Fitted:
    """A training set of whole examples in rows, and beside it, where texts are replayed, the rows of those."""

    examples: tuple[Written, ...]
    rows: tuple[tuple[int, ...], ...]
    "the examples of each row"
    seed: int
    cut: int = 0
    "examples that were longer than a row, and shortened"
    dropped: int = 0
    "examples that were left out: without a word to answer, or too long"
    replay: Rows | None = None
    share: float = 0.0
    "the share of a step's rows that are replayed"
    orders: Orders = field(default_factory=Orders, repr=False, compare=False)

    def steps_an_epoch(self, batch: int) -> int:
        """How many steps see every row once."""
        return steps_an_epoch(len(self.rows), batch)

    def digest(self) -> str:
        """SHA-256 over names, tokens and labels of all examples, over who shares a row, and over what is replayed."""
        whole = hashlib.sha256(f"{self.rows} {self.share}".encode())
        for one in self.examples:
            whole.update(one.bytes())
        whole.update(self.replay.digest().encode() if self.replay else b"")
        return whole.hexdigest()

    def words(self) -> Collection[int]:
        """None: the table of words learns whole."""
        return ()

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row."""
        return np.array([sum(len(self.examples[one].ids) for one in row) for row in self.rows], dtype=np.int64)

    def batch(self, step: int, size: int) -> list[Row]:
        """The rows of a step of `size` rows: a pure function of (seed, step). Replayed ones come on top of them."""

        def make(epoch: int) -> list[NDArray[np.int64]]:
            return batches_of_epoch(self.lengths, size, self.seed, epoch)

        numbers = self.orders.batch(step, size, self.steps_an_epoch(size), make)
        found = [self.row(int(number)) for number in numbers]
        return found + replayed_rows(self.replay, self.share, step, size)

    def row(self, number: int) -> Row:
        """One row of examples."""
        written = [self.examples[place] for place in self.rows[number]]
        name = "+".join(one.name for one in written)
        ids, owners = _joined([one.ids for one in written])
        if not len(written[0].targets):
            labels, _ = _joined([one.labels for one in written])
            return Row(name, ids, labels, owners)
        targets, heard = _joined([one.targets for one in written])
        labels, _ = _joined([one.labels for one in written])
        return Row(name, ids, labels, owners, targets, heard)


def _joined(parts: Sequence[Row32]) -> tuple[Ids, Ids]:
    """The numbers one behind the other, and whose each is."""
    whole = np.concatenate(parts).astype(np.int64)
    return whole, np.repeat(np.arange(len(parts), dtype=np.int64), [len(part) for part in parts])


def replayed_rows(replay: Rows | None, share: float, step: int, size: int) -> list[Row]:
    """The rows of old text that come on top of the `size` new ones of a step, so that they are `share` of all.

    Where that is no whole number the steps differ by one row: after many of them the share is exact.
    """
    if replay is None:
        return []
    each = share / (1 - share)  # rows of old text for each new one
    lines = [replay.line(number) for number in range(*(int((step + more) * size * each) for more in (0, 1)))]
    return [Row(f"replay:{line.name}", line.ids, line.following, line.documents) for line in lines]


def best_fit(sizes: Sequence[int], room: int) -> list[tuple[int, ...]]:
    """Which of these sizes share a row of `room`: best fit, the longest first; a longer one stands alone.

    The order of the result and inside each row is that of the sizes, so it depends on nothing else.
    """
    rows: list[list[int]] = []
    free: list[tuple[int, int]] = []  # (room left, row), ascending
    for place in sorted(range(len(sizes)), key=lambda one: (-sizes[one], one)):
        spot = bisect_left(free, (sizes[place], 0))
        if spot == len(free):
            rows.append([place])
            left, row = room - sizes[place], len(rows) - 1
        else:
            left, row = free.pop(spot)
            rows[row].append(place)
            left -= sizes[place]
        if left > 0:
            insort(free, (left, row))
    return sorted(tuple(sorted(row)) for row in rows)


def fit_rows(written: Sequence[Written], room: int, seed: int, pack: bool, cut: int = 0, dropped: int = 0) -> Fitted:
    """The examples in rows of at most `room` tokens: packed, or one a row."""
    sizes = [max(len(one.ids), len(one.targets)) for one in written]
    rows = best_fit(sizes, room) if pack else [(place,) for place in range(len(written))]
    return Fitted(tuple(written), tuple(rows), seed, cut, dropped)


def shorten(written: Written, room: int, side: str) -> Written | None:
    """An example that is too long as it is learnt: without the end of its answer (`right`), or not at all (`drop`):
    None, as where nothing would be left to learn. See `nn.shortening` for the beginning of a prompt."""
    if len(written.ids) <= room:
        return written
    if side == "drop":
        return None
    labels = written.labels[:room].copy()
    labels[-1] = IGNORED  # what comes next was cut off: it is not the end
    found = replace(written, ids=written.ids[:room], labels=labels)
    return found if found.learnt else None


class Stepped(Protocol):
    """What has rows for every step."""

    def batch(self, step: int, size: int) -> list[Row]:
        """The rows of a step of `size` rows: a pure function of (seed, step)."""
        ...


def stream_fitted(fitted: Stepped, kit: Kit, start: int) -> Iterator[tuple[TokenBatch, ...]]:
    """The batches of each step from step `start` on: its rows, those of this process, in `accumulation` parts."""
    how, fill = kit.how, kit.tokenizer.pad_id
    count = max(1, min(how.accumulation, how.batch // kit.ranks))  # the same in every process: they wait for each other
    while True:
        rows = fitted.batch(start, how.batch)
        places = np.array_split(np.array_split(np.arange(len(rows)), kit.ranks)[kit.rank], count)
        parts = [[rows[int(place)] for place in part] for part in places]
        yield tuple(filled(part, fill, kit.device) if part else _silent(rows[0], fill, kit.device) for part in parts)
        start += 1


def _silent(row: Row, fill: int, device: str) -> TokenBatch:
    """What a part reads that has no row, as in the last step of an epoch: it learns nothing and counts for nothing."""
    batch = filled([replace(row, labels=np.full_like(row.labels, IGNORED))], fill, device)
    return replace(batch, names=(), tokens=0)
