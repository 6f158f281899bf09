"""Which documents and paragraphs of many parts on disk stand twice, exactly or nearly: the first of them stays.

Keys are compared a range at a time, so memory does not grow with the corpus: each part holds its keys sorted, and of
every part only the slice of one range is read. Flags are kept in files, one byte a unit. Near doubles are candidates
that share a band of their sketches and are then held against each other on their texts: no false alarm.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dragoman.data.dedupe import forget, similarity
from dragoman.data.refine import Keys

__all__ = ["EXACT", "GONE", "KEPT", "NEAR", "Parts", "alike", "flag_exact", "flag_near", "flag_pieces_of", "new_flags"]

KEPT, GONE, EXACT, NEAR = range(4)  # GONE: a paragraph whose document is not kept
RANGE = 1 << 21  # keys that are sorted at a time: 50 MB with their units and order
BEFORE = 4  # candidates that a unit is held against in one bucket: the first of it and those right before
HELD = 1 << 22  # characters of compared texts whose words and shingles are remembered
CHUNK = 512  # pairs that one worker compares at a time
Pairs = NDArray[np.int64]
Task = tuple["Parts", Pairs]


@dataclass(frozen=True)
class Parts:
    """The parts of a corpus in order, and how their documents or paragraphs are numbered through."""

    folders: tuple[Path, ...]
    offsets: NDArray[np.int64]
    "[parts + 1] the number of the first unit of each part."
    pieces: bool
    "Whether the units are paragraphs; else documents."
    made: str = ""
    "What tells these parts from others that stood in the same folders before."

    @property
    def count(self) -> int:
        """The number of units."""
        return int(self.offsets[-1])

    def text(self, unit: int) -> str:
        """The text of one unit."""
        part = int(np.searchsorted(self.offsets, unit, side="right")) - 1
        text, ends = _opened(self.folders[part], self.pieces, self.made)
        place = unit - int(self.offsets[part])
        begin = int(ends[place - 1]) if place else 0
        return bytes(text[begin : int(ends[place])]).decode()

    def owners(self, part: int) -> NDArray[np.int64]:
        """[paragraphs] the document of each paragraph of a part, counted inside the part."""
        found: NDArray[np.int64] = np.load(self.folders[part] / "pieces.npy", mmap_mode="r")[:, 0]
        return found


def new_flags(path: Path, count: int) -> NDArray[np.uint8]:
    """[units] a file of flags, all KEPT."""
    path.write_bytes(b"")
    return np.memmap(path, np.uint8, "w+", shape=(count,)) if count else np.zeros(0, np.uint8)


def flag_exact(parts: Parts, name: str, flags: NDArray[np.uint8], documents: Parts | None = None) -> None:
    """Mark each unit whose key an earlier one has. With `documents`, units are paragraphs, and one that is only
    repeated inside its own document stays: a song keeps its refrain."""
    for keys, units in _ranges(parts, name):
        free = flags[units] == KEPT
        keys, units = keys[free], units[free]
        order = np.lexsort((units, keys))
        keys, units = keys[order], units[order]
        first = _firsts(keys)
        double = np.flatnonzero(first != np.arange(len(keys)))
        if documents is not None:
            home = _owner(parts, documents, units[double])
            double = double[home != _owner(parts, documents, units[first[double]])]
        flags[units[double]] = EXACT


def flag_near(
    parts: Parts,
    name: str,
    flags: NDArray[np.uint8],
    folder: Path,
    compare: Callable[[Iterable[Task]], Iterator[tuple[Task, list[float]]]],
    threshold: float,
    documents: Parts | None = None,
) -> None:
    """Mark each unit that is near to an earlier one which stays. `compare` gives each task with what `alike` says of
    it, in order; `folder` is for candidates while they are gathered."""
    runs = []
    for number, (keys, units) in enumerate(_ranges(parts, name)):
        free = flags[units] == KEPT
        found = _candidates(keys[free], units[free])
        if documents is not None and len(found):
            inside = _owner(parts, documents, found[:, 0]) == _owner(parts, documents, found[:, 1])
            found = found[~inside]
        np.save(folder / f"pairs-{number}.npy", found)
        runs.append(folder / f"pairs-{number}.npy")

    def open_pairs() -> Iterator[Task]:
        for pairs in _in_order(runs, parts.count):
            moot = (flags[pairs] != KEPT).any(1)  # decided while they waited: the answer would change nothing
            yield parts, pairs[~moot]

    for (_, pairs), values in compare(open_pairs()):
        for (later, earlier), value in zip(pairs.tolist(), values, strict=True):
            if value >= threshold and flags[later] == KEPT and flags[earlier] == KEPT:
                flags[later] = NEAR
    for run in runs:
        run.unlink()


def flag_pieces_of(parts: Parts, documents: Parts, flags: NDArray[np.uint8], gone: NDArray[np.uint8]) -> None:
    """Mark the paragraphs of documents that are not kept as GONE: they are no first of anything."""
    for part in range(len(parts.folders)):
        owners = parts.owners(part) + documents.offsets[part]
        begin = int(parts.offsets[part])
        flags[begin : begin + len(owners)] = np.where(gone[owners] == KEPT, KEPT, GONE)


def alike(task: Task) -> list[float]:
    """How near the two units of each pair are, 0 to 1."""
    parts, pairs = task
    found, size = [], 0
    for later, earlier in pairs.tolist():
        one, other = parts.text(later), parts.text(earlier)
        found.append(similarity(one, other))
        size += len(one) + len(other)
        if size > HELD:
            forget()
            size = 0
    forget()
    return found


def _ranges(parts: Parts, name: str) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.int64]]]:
    """The keys of all parts with the numbers of their units, a range of keys at a time."""
    total = sum(len(Keys.open(folder, name).keys) for folder in parts.folders)
    count = max(1, -(-total // RANGE))
    for number in range(count):
        low, high = number * (1 << 64) // count, (number + 1) * (1 << 64) // count
        keys, units = [], []
        for folder, offset in zip(parts.folders, parts.offsets[:-1].tolist(), strict=True):
            found = Keys.open(folder, name)
            begin = int(np.searchsorted(found.keys, np.uint64(low)))
            end = int(np.searchsorted(found.keys, np.uint64(high))) if number + 1 < count else len(found.keys)
            keys.append(np.array(found.keys[begin:end]))
            units.append(found.units[begin:end].astype(np.int64) + offset)
        yield np.concatenate(keys), np.concatenate(units)


def _firsts(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """[keys] where the run of equal keys begins that each stands in."""
    places = np.arange(len(keys))
    new = np.ones(len(keys), np.bool_)
    new[1:] = keys[1:] != keys[:-1]
    found: NDArray[np.int64] = np.maximum.accumulate(np.where(new, places, 0))
    return found


def _candidates(keys: NDArray[np.uint64], units: NDArray[np.int64]) -> Pairs:
    """[pairs, 2] (later, earlier) units of one bucket, each pair once, in order."""
    order = np.lexsort((units, keys))
    keys, units = keys[order], units[order]
    first, places = _firsts(keys), np.arange(len(keys))
    pairs = [np.stack([units, units[first]], 1)[first < places]]
    for back in range(1, BEFORE):
        near = np.flatnonzero(places - first > back)  # the first of the bucket is there already
        pairs.append(np.stack([units[near], units[near - back]], 1))
    return np.unique(np.concatenate(pairs), axis=0)


def _in_order(runs: Sequence[Path], count: int) -> Iterator[Pairs]:
    """The pairs of all runs by their later unit, each once, in chunks."""
    opened = [np.load(run, mmap_mode="r", allow_pickle=False) for run in runs]
    total = sum(map(len, opened))
    ranges = max(1, -(-total // RANGE))
    for number in range(ranges if total else 0):
        low, high = number * count // ranges, (number + 1) * count // ranges
        slices = [run[np.searchsorted(run[:, 0], low) : np.searchsorted(run[:, 0], high)] for run in opened]
        pairs = np.unique(np.concatenate(slices), axis=0)
        for begin in range(0, len(pairs), CHUNK):
            yield pairs[begin : begin + CHUNK]


def _owner(parts: Parts, documents: Parts, units: NDArray[np.int64]) -> NDArray[np.int64]:
    """[units] the number of the document that each paragraph belongs to."""
    found = np.empty(len(units), np.int64)
    home = np.searchsorted(parts.offsets, units, side="right") - 1
    for part in np.unique(home).tolist():
        here = home == part
        found[here] = parts.owners(part)[units[here] - parts.offsets[part]] + documents.offsets[part]
    return found


@lru_cache(maxsize=64)
def _opened(folder: Path, pieces: bool, made: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    ends = np.load(folder / ("pieces.npy" if pieces else "ends.npy"), mmap_mode="r", allow_pickle=False)
    return np.memmap(folder / "text.bin", np.uint8, "r"), ends[:, 1] if pieces else ends
