"""Documents packed into rows of full length: no token is padding, none is wasted, none is seen twice in an epoch.

All documents of a source stand one behind the other; the stream is cut every `length` tokens, at other places in every
epoch, and the rows are drawn in another order. A document that a cut goes through goes on in the next row, without what
was before it. Which row is where is a pure function of (seed, number): a killed run goes on without replaying, and the
order is the same however many processes share it.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dragoman.core.errors import UserError
from dragoman.core.shards import Documents

__all__ = ["Line", "Rows", "Stream", "Texts"]

Ids = NDArray[np.int64]
BLOCK = 1000
"rows in which each source has exactly its share, to a thousandth"


@dataclass(frozen=True)
class Texts:
    """What a language model learns from: the documents of each source, and its share of the rows (they sum to 1).

    A share below a thousandth counts as one. Raises UserError where there are more than 1,000 sources.
    """

    sources: tuple[Documents, ...]
    shares: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if len(self.sources) > BLOCK:
            raise UserError(
                f"{len(self.sources):,} sources cannot be mixed: {BLOCK:,} is the most",
                "put some of them together: dragoman corpus FOLDER reads all its files as one source",
            )

    @property
    def tokens(self) -> int:
        """Tokens of all documents."""
        return sum(source.tokens for source in self.sources)

    @property
    def bytes(self) -> int:
        """UTF-8 bytes of all documents."""
        return sum(source.bytes for source in self.sources)


@dataclass(frozen=True)
class Line:
    """A row of tokens, [s] each: the ids, which document each belongs to, and the token that comes after each.

    The last token of a document is followed by `end` (-100 where there is none): a model must learn to stop.
    """

    name: str
    ids: Ids
    documents: Ids
    following: Ids


@dataclass(frozen=True)
class Stream:
    """The documents of one source as one long text, with the special tokens that stand in front of and behind each."""

    documents: Documents
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    end: int = -100
    "the token after the last one of a document"
    borders: Ids = field(init=False, repr=False)
    "[documents + 1] where each document begins in the stream, and the end of the last"

    def __post_init__(self) -> None:
        extra = len(self.before) + len(self.after)
        ends = self.documents.ends + extra * np.arange(1, len(self.documents.ends) + 1, dtype=np.int64)
        object.__setattr__(self, "borders", np.concatenate(([0], ends)))

    @property
    def length(self) -> int:
        """Tokens of the stream, special ones included."""
        return int(self.borders[-1])

    def read(self, start: int, stop: int) -> tuple[Ids, Ids]:
        """The ids of positions start..stop and the number of each one's document, [stop - start] each."""
        first, last = (int(np.searchsorted(self.borders, place, side="right")) - 1 for place in (start, stop - 1))
        if not (self.before or self.after):
            ids = self.documents.read(start, stop)
        else:
            parts: list[Sequence[int] | Ids] = []
            for number in range(first, last + 1):
                text = self.documents.read(*self._span(number, start, stop))
                begin, whole = int(self.borders[number]), int(self.borders[number + 1])
                front, back = begin + len(self.before), whole - len(self.after)
                parts.append(self.before[max(start - begin, 0) : max(stop - begin, 0)])
                parts.append(text if front < stop and back > start else ())
                parts.append(self.after[max(start - back, 0) : max(stop - back, 0)])
            ids = np.concatenate([np.asarray(part, dtype=np.int64) for part in parts])
        cuts = np.clip(self.borders[first : last + 2], start, stop)
        return ids, np.repeat(np.arange(first, last + 1, dtype=np.int64), np.diff(cuts))

    def _span(self, number: int, start: int, stop: int) -> tuple[int, int]:
        """Which of the documents' own tokens the positions start..stop hold of one document."""
        behind = int(self.borders[number]) + len(self.before)  # where its text begins in the stream
        before = int(self.documents.ends[number - 1]) if number else 0  # and in the documents
        size = int(self.documents.ends[number]) - before
        low, high = (min(max(place - behind, 0), size) for place in (start, stop))
        return before + low, before + high

    def line(self, start: int, size: int) -> tuple[Ids, Ids, Ids]:
        """`size` positions from `start` on, with what follows each. Behind the end the stream begins again, in
        documents that count as others."""
        stop, total = start + size, self.length
        if stop > total:
            head, tail = self.line(start, total - start), self.line(0, stop - total)
            numbers = np.concatenate((head[1], tail[1] + len(self.documents.ends)))
            return np.concatenate((head[0], tail[0])), numbers, np.concatenate((head[2], tail[2]))
        more = min(stop + 1, total)
        ids, numbers = self.read(start, more)
        following = np.full(size, self.end, dtype=np.int64)
        same = numbers[1:] == numbers[:-1]
        following[: more - start - 1][same[:size]] = ids[1:][same[:size]]
        return ids[:size], numbers[:size], following


@dataclass(frozen=True)
class Rows:
    """All rows there are, numbered from 0 without end, epoch after epoch; a Feed.

    `ordered` rows come in the order of the texts, cut at the same places: that is how one measures.
    """

    streams: tuple[Stream, ...]
    shares: tuple[float, ...]
    length: int
    "tokens of a row; the last of an epoch may be shorter"
    seed: int
    ordered: bool = False
    cut: int = 0
    dropped: int = 0
    orders: dict[int, tuple[int, int, NDArray[np.int64]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    "of each source the epoch that is read, where its cuts begin and the order of its rows: 8 bytes a row"

    @property
    def count(self) -> int:
        """Rows of an epoch. Sources of unequal share are seen more or less often meanwhile."""
        return sum(self._rows(source) for source in range(len(self.streams)))

    def steps_an_epoch(self, batch: int) -> int:
        """How many steps see so many rows as all texts fill."""
        return -(-self.count // batch)

    def digest(self) -> str:
        """SHA-256 over the documents of each source, its special tokens, its share and the length of a row."""
        whole = hashlib.sha256(f"{self.length} {self.shares}".encode())
        for stream in self.streams:
            whole.update(f"{stream.documents.digest} {stream.before} {stream.after} {stream.end}".encode())
        return whole.hexdigest()

    def words(self) -> Collection[int]:
        """None: the table of words learns whole."""
        return ()

    def line(self, number: int) -> Line:
        """The row of that number. Its name says source, epoch and position: `stdlib:0:4096`."""
        source, turn = self._place(number)
        stream = self.streams[source]
        epoch, place = divmod(turn, self._rows(source))
        shift, order = self._order(source, epoch)
        cut = int(order[place]) * self.length
        size = min(self.length, stream.length - cut)
        start = (cut + shift) % stream.length
        ids, documents, following = stream.line(start, size)
        return Line(f"{stream.documents.name}:{epoch}:{start}", ids, documents, following)

    def _rows(self, source: int) -> int:
        return max(1, -(-self.streams[source].length // self.length))

    def _order(self, source: int, epoch: int) -> tuple[int, NDArray[np.int64]]:
        """Where the cuts of an epoch begin, and the order in which its rows come."""
        rows = self._rows(source)
        if self.ordered or rows == 1:
            return 0, np.arange(rows, dtype=np.int64)
        known = self.orders.get(source)
        if known is None or known[0] != epoch:
            dice = np.random.default_rng([self.seed, source, epoch])
            known = (epoch, int(dice.integers(self.length)), dice.permutation(rows))
            self.orders[source] = known
        return known[1], known[2]

    def _place(self, number: int) -> tuple[int, int]:
        """Which source a row comes from, and the how manieth of that source it is."""
        if len(self.streams) == 1:
            return 0, number
        if self.ordered:
            for source in range(len(self.streams)):
                if number < self._rows(source):
                    return source, number
                number -= self._rows(source)
            raise IndexError("there are no more rows to measure on")
        block, place = divmod(number, BLOCK)
        plan, before = _mixed(self.shares, self.seed, block)
        source = int(plan[place])
        return source, block * int((plan == source).sum()) + int(before[place])


@lru_cache(maxsize=4)
def _mixed(shares: tuple[float, ...], seed: int, block: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The source of each of 1,000 rows, every one with its share, and how many of the same source stand before it."""
    exact = np.array(shares) * BLOCK
    counts = np.maximum(np.floor(exact).astype(np.int64), 1)
    for source in np.argsort(-(exact - counts), kind="stable")[: max(0, BLOCK - int(counts.sum()))]:
        counts[source] += 1
    counts[int(np.argmax(counts))] += BLOCK - int(counts.sum())
    plan = np.random.default_rng([seed, block, len(shares)]).permutation(np.repeat(np.arange(len(shares)), counts))
    before = np.zeros(BLOCK, dtype=np.int64)
    for source in range(len(shares)):
        before[plan == source] = np.arange(int((plan == source).sum()))
    return plan, before
