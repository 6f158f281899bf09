"""The words of the pieces that lie in a database, listed in memory: BM25 as the store in one file has it.

Brought up to the manifest before a search: the pieces of a source that has changed are read, and nothing else is.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dragoman.core.documents import Filter, Value
from dragoman.rag.filters import holds, visible
from dragoman.rag.postings import Postings
from dragoman.rag.stores.rows import Keeper, Record
from dragoman.rag.words import Words

__all__ = ["TOGETHER", "Listed", "grouped"]

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]
TOGETHER = 2000
"pieces that are read together"


@dataclass
class _Held:
    """What is listed of one source."""

    token: str
    numbers: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    distinct: list[tuple[Mapping[str, Value], frozenset[str]]] = field(default_factory=list)


class Listed:
    """Every piece that is searched, by source in the order they were put, and the words of each distinct text."""

    def __init__(self) -> None:
        self.places: list[tuple[str, int]] = []
        "source and number of each piece"
        self.languages: tuple[str, ...] = ("en",)
        self._held: dict[str, _Held] = {}
        self._postings = Postings()
        self._rows: dict[str, int] = {}  # of a text, by its hash
        self._uses: Counter[str] = Counter()
        self._terms: dict[str, int] = {}
        self._words = Words()
        self._row: Ints = np.zeros(0, dtype=np.int64)
        self._label: Ints = np.zeros(0, dtype=np.int64)
        self._labels: list[tuple[str, Mapping[str, Value], frozenset[str]]] = []
        self._at: dict[tuple[str, int], int] = {}

    def refresh(self, keeper: Keeper, records: Mapping[str, Record]) -> None:
        """List what the manifest says."""
        for source in [name for name, held in self._held.items() if not _current(records.get(name), held)]:
            self._forget(source)
        new = [record for name, record in records.items() if name not in self._held]
        for group in grouped(new):
            self._take(keeper, group)
        self.languages = tuple(sorted({record.language for record in records.values()})) or ("en",)
        self._flatten(records)

    def _forget(self, source: str) -> None:
        keys = self._held.pop(source).keys
        self._uses.subtract(keys)
        gone = [key for key in {*keys} if self._uses[key] <= 0]
        self._postings.remove([self._rows.pop(key) for key in gone])
        for key in gone:
            del self._uses[key]

    def _take(self, keeper: Keeper, records: list[Record]) -> None:
        """Read the pieces of some sources, and list the words of the texts that are new."""
        rows = [row for row in keeper.rows([record.source for record in records]) if row.key]
        pieces = sorted(((row.chunk, row.key) for row in rows), key=lambda pair: pair[0].number)
        for record in records:  # only now: a source whose reading failed is read again
            self._held[record.source] = _Held(record.token)
        labels: dict[tuple[str, str, frozenset[str]], int] = {}
        by_source = {record.source: record for record in records}
        terms: list[NDArray[np.int32]] = []
        counts: list[NDArray[np.int32]] = []
        for chunk, key in pieces:
            held = self._held[chunk.source]
            label = (chunk.source, json.dumps(dict(chunk.meta), sort_keys=True), chunk.access)
            if label not in labels:
                labels[label] = len(held.distinct)
                held.distinct.append((chunk.meta, chunk.access))
            held.numbers.append(chunk.number)
            held.keys.append(key)
            held.labels.append(labels[label])
            self._uses[key] += 1
            if key not in self._rows:
                self._rows[key] = len(self._postings) + len(terms)
                words = Counter(self._words(chunk.embedded, by_source[chunk.source].language))
                ids = [self._terms.setdefault(word, len(self._terms)) for word in words]
                terms.append(np.array(ids, dtype=np.int32))
                counts.append(np.array(list(words.values()), dtype=np.int32))
        self._postings.add(terms, counts)

    def _flatten(self, records: Mapping[str, Record]) -> None:
        """All sources as arrays, in the order they were put."""
        self.places, self._labels = [], []
        rows: list[int] = []
        labels: list[int] = []
        for source in sorted(self._held, key=lambda name: (records[name].order, name)):
            held = self._held[source]
            labels += [len(self._labels) + label for label in held.labels]
            self._labels += [(source, *one) for one in held.distinct]
            self.places += [(source, number) for number in held.numbers]
            rows += [self._rows[key] for key in held.keys]
        self._row, self._label = np.array(rows, dtype=np.int64), np.array(labels, dtype=np.int64)
        self._at = {place: at for at, place in enumerate(self.places)}

    def scores(self, text: str) -> NDArray[np.float32]:
        """The BM25 of every piece, of shape [pieces]; 0 where it holds no word of the text."""
        terms = self._words.any(text, self.languages)
        scores = self._postings.scores([self._terms[term] for term in terms if term in self._terms])
        of_pieces: NDArray[np.float32] = scores[self._row]
        return of_pieces

    def allowed(self, wanted: Filter | None, groups: frozenset[str]) -> Mask:
        """Which pieces are wanted and may be seen, of shape [pieces]."""
        passed = [visible(access, groups) and holds(wanted, source, meta) for source, meta, access in self._labels]
        mask: Mask = np.array(passed, dtype=np.bool_)[self._label]
        return mask

    def at(self, source: str, number: int) -> int | None:
        """Where a piece stands among the places; None where it is not listed."""
        return self._at.get((source, number))


def _current(record: Record | None, held: _Held) -> bool:
    return record is not None and record.token == held.token


def grouped(records: list[Record]) -> list[list[Record]]:
    """Sources in their order, as many together as have `TOGETHER` pieces."""
    groups: list[list[Record]] = []
    count = 0
    for record in records:
        if not groups or count + record.chunks > TOGETHER:
            groups.append([])
            count = 0
        groups[-1].append(record)
        count += record.chunks
    return groups
