"""A tokenised corpus on disk: memory-mapped shards of token ids, with the borders of the documents beside them.

A corpus folder holds corpus.json, the tokenizer, and one folder for each part and source, `train-0`, `validation-0`:
tokens-0000.bin, tokens-0001.bin ... (ids one after another, uint16 where the vocabulary fits, else uint32), ends.bin
and sizes.bin (int64, one number a document). All numbers are little-endian. No special token stands in the stream: who
trains puts it between documents, or not.
"""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dragoman.core.disk import typed
from dragoman.core.errors import UserError

__all__ = ["PARTS", "Corpus", "Documents", "Writer", "dtype_of", "open_corpus", "seal"]

PARTS = ("train", "validation")
FACTS = "corpus.json"
FORMAT = 1
SHARD = 1 << 26  # tokens of a shard: 128 MiB of uint16, small enough to copy again, few enough to hold open
_AGAIN = "build it again: dragoman corpus SOURCE out=FOLDER"
_HASHED = 1 << 20  # tokens that are hashed at a time


@dataclass(frozen=True, eq=False)
class Documents:
    """The tokenised documents of one source and one part."""

    name: str
    "Of the source."
    tokens: int
    "Tokens of all documents; no special token is among them."
    bytes: int
    "UTF-8 bytes of the texts of all documents."
    digest: str
    "SHA-256 of tokens and borders, whatever the width of an id on the disk and the size of a shard."
    ends: NDArray[np.int64]
    "[documents] where each document ends in the stream of tokens, ascending; the last is `tokens`."
    sizes: NDArray[np.int64]
    "[documents] UTF-8 bytes of each text."
    shards: tuple[NDArray[Any], ...] = field(repr=False)
    "The stream, cut into pieces that follow each other."

    def read(self, start: int, stop: int) -> NDArray[np.int64]:
        """Tokens start..stop of the stream, across documents and shards: [stop - start], a copy.

        Raises IndexError where the stream has no such tokens.
        """
        if not 0 <= start <= stop <= self.tokens:
            raise IndexError(f"tokens {start}..{stop} of {self.tokens}")
        found = np.empty(stop - start, np.int64)
        number = bisect_right(self._starts, start) - 1
        while start < stop:
            begin, shard = self._starts[number], self.shards[number]
            last = min(stop, begin + len(shard))
            found[len(found) - (stop - start) : len(found) - (stop - last)] = shard[start - begin : last - begin]
            start, number = last, number + 1
        return found

    @cached_property
    def _starts(self) -> list[int]:
        """Where each shard begins in the stream."""
        return [0, *accumulate(len(shard) for shard in self.shards)][:-1]

    @staticmethod
    def of(name: str, documents: Sequence[Sequence[int]], sizes: Sequence[int]) -> "Documents":
        """Documents held in memory; `sizes` are the UTF-8 bytes of each text."""
        if len(documents) != len(sizes):
            raise ValueError(f"{len(documents)} documents and {len(sizes)} sizes")
        ends = np.cumsum([len(ids) for ids in documents], dtype=np.int64)
        stream = np.array([token for ids in documents for token in ids], np.int64)
        whole = hashlib.sha256()
        _hash(whole, stream)
        whole.update(ends.astype("<i8").tobytes())
        counted = np.array(sizes, np.int64)
        return Documents(name, len(stream), int(counted.sum()), whole.hexdigest(), ends, counted, (stream,))


@dataclass(frozen=True, eq=False)
class Corpus:
    """A corpus that was opened: nothing of it is read until it is asked for."""

    folder: Path
    facts: Mapping[str, Any]
    "What corpus.json says: sources, counts of every filter, tokenizer, dtype."
    weights: tuple[float, ...]
    "The share of each source among the rows of training; they sum to 1."
    _parts: Mapping[str, tuple[Documents, ...]] = field(repr=False)

    @property
    def tokenizer(self) -> Path:
        """The folder of the tokenizer that made the ids."""
        return self.folder / "tokenizer"

    @property
    def digest(self) -> str:
        """SHA-256 of all tokens, borders and shares, and of the tokenizer: the same for the same corpus anywhere."""
        whole = hashlib.sha256(json.dumps(list(self.weights)).encode())
        for documents in (one for name in PARTS for one in self._parts[name]):
            whole.update(documents.digest.encode())
        whole.update((self.tokenizer / "tokenizer.json").read_bytes())
        return whole.hexdigest()

    def part(self, name: str) -> tuple[Documents, ...]:
        """The documents of `train` or `validation`, one Documents a source, in the order of the sources."""
        return self._parts[name]


class Writer:
    """Appends documents of one source and one part to shards, in constant memory; `entry` is what corpus.json holds.

    The folder is one that nobody else writes; what stood there of an unfinished writer is written over.
    """

    def __init__(self, folder: Path, name: str, vocabulary: int, shard: int = SHARD) -> None:
        """`vocabulary` is the number of ids there may be, which tells their width; `shard` the tokens of a shard."""
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("tokens-*.bin"):
            old.unlink()
        self._folder, self._name, self._limit = folder, name, shard
        self._dtype = np.dtype(dtype_of(vocabulary))
        self._vocabulary = vocabulary
        self._whole = hashlib.sha256()
        self._shards: list[int] = []
        self._stream: BinaryIO | None = None
        self._ends = (folder / "ends.bin").open("wb")
        self._sizes = (folder / "sizes.bin").open("wb")
        self.documents = self.tokens = self.bytes = 0

    def add(self, stream: NDArray[Any], lengths: NDArray[Any], sizes: NDArray[Any]) -> None:
        """Append documents: [tokens] ids of all of them one after another, [documents] the tokens of each, [documents]
        the UTF-8 bytes of each. Raises ValueError where an id does not fit the vocabulary, or the numbers do not add
        up."""
        if len(lengths) != len(sizes) or int(lengths.sum()) != len(stream):
            raise ValueError(f"{len(stream)} tokens, {len(lengths)} lengths and {len(sizes)} sizes do not add up")
        if len(stream) and not 0 <= int(stream.min()) <= int(stream.max()) < self._vocabulary:
            raise ValueError(f"ids up to {int(stream.max())} do not fit a vocabulary of {self._vocabulary}")
        self._ends.write((self.tokens + np.cumsum(lengths, dtype=np.int64)).astype("<i8").tobytes())
        self._sizes.write(sizes.astype("<i8").tobytes())
        _hash(self._whole, stream)
        self._write(stream)
        self.documents += len(lengths)
        self.tokens += len(stream)
        self.bytes += int(sizes.sum())

    def close(self) -> dict[str, Any]:
        """End the files and give their entry of corpus.json."""
        for stream in (self._stream, self._ends, self._sizes):
            if stream:
                stream.close()
        with (self._folder / "ends.bin").open("rb") as ends:
            while block := ends.read(8 * _HASHED):
                self._whole.update(block)
        return {
            "name": self._name,
            "documents": self.documents,
            "tokens": self.tokens,
            "bytes": self.bytes,
            "digest": self._whole.hexdigest(),
            "shards": self._shards,
        }

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for stream in (self._stream, self._ends, self._sizes):
            if stream:
                stream.close()

    def _write(self, stream: NDArray[Any]) -> None:
        while len(stream):
            if self._stream is None or self._shards[-1] == self._limit:
                if self._stream:
                    self._stream.close()
                self._stream = (self._folder / _shard(len(self._shards))).open("wb")
                self._shards.append(0)
            piece = stream[: self._limit - self._shards[-1]]
            self._stream.write(piece.astype(self._dtype).tobytes())
            self._shards[-1] += len(piece)
            stream = stream[len(piece) :]


def dtype_of(vocabulary: int) -> str:
    """The narrowest type that holds every id of a vocabulary of this size."""
    return "<u2" if vocabulary <= 1 << 16 else "<u4"


def seal(
    folder: Path,
    vocabulary: int,
    weights: Sequence[float],
    parts: Mapping[str, Sequence[Mapping[str, Any]]],
    facts: Mapping[str, Any],
) -> None:
    """Write corpus.json plainly, once every Writer has closed: who publishes the folder makes it durable.

    `parts` holds the entries of the writers of `folder / f"{part}-{number}"`; `facts` whatever else is to be known.
    """
    total = sum(weights)
    head = {
        "format": FORMAT,
        "vocabulary": vocabulary,
        "dtype": dtype_of(vocabulary),
        "weights": [weight / total for weight in weights],
        "parts": {part: [dict(entry) for entry in parts[part]] for part in PARTS},
    }
    text = json.dumps({**head, **{name: value for name, value in facts.items() if name not in head}}, indent=1)
    (folder / FACTS).write_text(text + "\n", encoding="utf-8")


def open_corpus(folder: Path) -> Corpus:
    """Open a corpus: files are mapped, not read. Raises UserError where it is none, or a file has another size than
    corpus.json says."""
    folder = typed(folder)
    if not (folder / FACTS).is_file():
        raise UserError(f"{folder} is no corpus: it has no {FACTS}", "build one: dragoman corpus SOURCE out=FOLDER")
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        if facts["format"] != FORMAT:
            raise UserError(f"{folder} is a corpus of format {facts['format']}, and this reads {FORMAT}", _AGAIN)
        dtype = dtype_of(facts["vocabulary"])
        weights = tuple(float(weight) for weight in facts["weights"])
        parts = {
            part: tuple(_open(folder / f"{part}-{number}", entry, dtype) for number, entry in enumerate(entries))
            for part, entries in ((part, facts["parts"][part]) for part in PARTS)
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{folder / FACTS} cannot be read: {type(error).__name__} {error}", _AGAIN) from None
    if any(len(found) != len(weights) for found in parts.values()) or not weights or abs(sum(weights) - 1) > 1e-6:
        raise UserError(f"{folder / FACTS} does not fit together: weights and sources", _AGAIN)
    return Corpus(folder, facts, weights, parts)


def _open(folder: Path, entry: Mapping[str, Any], dtype: str) -> Documents:
    ends = _mapped(folder / "ends.bin", "<i8", entry["documents"])
    sizes = _mapped(folder / "sizes.bin", "<i8", entry["documents"])
    shards = tuple(_mapped(folder / _shard(place), dtype, count) for place, count in enumerate(entry["shards"]))
    if (int(ends[-1]) if len(ends) else 0) != entry["tokens"] or sum(entry["shards"]) != entry["tokens"]:
        raise UserError(f"{folder} does not hold the {entry['tokens']:,} tokens that {FACTS} says", _AGAIN)
    return Documents(entry["name"], entry["tokens"], entry["bytes"], entry["digest"], ends, sizes, shards)


def _mapped(path: Path, dtype: str, count: int) -> NDArray[Any]:
    size = path.stat().st_size if path.is_file() else -1
    wanted = np.dtype(dtype).itemsize * count
    if size != wanted:
        said = f"has {size:,} bytes instead of {wanted:,}" if size >= 0 else "is missing"
        raise UserError(f"{path} {said}", _AGAIN)
    return np.memmap(path, dtype, "r", shape=(count,)) if count else np.empty(0, dtype)


def _shard(place: int) -> str:
    return f"tokens-{place:04d}.bin"


def _hash(whole: "hashlib._Hash", stream: NDArray[Any]) -> None:
    """Tokens as four bytes each, so that the digest does not tell how wide they are on the disk."""
    for start in range(0, len(stream), _HASHED):
        whole.update(stream[start : start + _HASHED].astype("<u4").tobytes())
