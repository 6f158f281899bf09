"""What lies in a database of pieces: a row for each piece, a record for each source, and who keeps both."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dragoman.core.documents import Caps, Chunk, Filter, Value
from dragoman.core.errors import UserError
from dragoman.rag.schema import chunk_of, chunk_row, sha256

__all__ = [
    "Keeper",
    "Made",
    "Record",
    "Row",
    "as_number",
    "as_word",
    "chunk_in",
    "column",
    "key_of",
    "piece_of",
    "record_in",
    "records_in",
    "source_in",
    "whole_hash",
]

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Made:
    """What the vectors of a database come from."""

    model: str = ""
    "the fingerprint of what embedded them"
    width: int = 0
    "how many numbers each has; 0 where there are none"


@dataclass(frozen=True, slots=True)
class Record:
    """What the manifest says of one source."""

    source: str
    version: str
    "empty where what lies there is not what was put there: it is put in again"
    token: str
    "of this putting alone"
    order: int
    "when it was put, in nanoseconds: of equals the first stays first"
    chunks: int
    hash: str
    "SHA-256 over the hashes of its pieces, by number"
    title: str = ""
    language: str = ""
    model: str = ""
    problems: tuple[str, ...] = ()
    meta: Mapping[str, Value] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """It as JSON."""
        return json.dumps({**asdict(self), "meta": dict(self.meta)}, ensure_ascii=False)


@dataclass(frozen=True, eq=False, slots=True)
class Row:
    """A piece as it lies there."""

    piece: str
    "all of it, as JSON: whatever a text holds, it comes back the same"
    key: str
    "the hash of the text that is embedded; empty for a parent"
    access: frozenset[str]
    "who may see it, as the database searches it"
    vector: Vector | None = None

    @property
    def chunk(self) -> Chunk:
        """The piece."""
        return chunk_in(self.piece)


class Keeper(Protocol):
    """A database that keeps rows and records. A source is put whole: no reader sees a part of it.

    Every method raises UserError where the database cannot be reached, and finds nothing where none was made yet.
    """

    @property
    def caps(self) -> Caps:
        """What it can do by itself."""
        ...

    def generation(self) -> str:
        """What is another after every change that a search could see, and the same while there is none."""
        ...

    def made(self) -> Made:
        """What its vectors come from."""
        ...

    def record(self, source: str) -> Record | None:
        """What the manifest says of a source."""
        ...

    def records(self) -> dict[str, Record]:
        """The manifest, by source."""
        ...

    def counted(self) -> dict[str, int]:
        """How many pieces of each source lie there, whatever the manifest says."""
        ...

    def put(self, record: Record, chunks: Sequence[Chunk], vectors: Vector | None, made: Made) -> None:
        """Put a source in the place of what it was; `vectors` are those of the chunks that are no parents."""
        ...

    def drop(self, source: str) -> None:
        """Take a source out."""
        ...

    def mark(self, record: Record) -> None:
        """Change what the manifest says of a source, and nothing else."""
        ...

    def near(self, vector: Vector, k: int, wanted: Filter | None, groups: frozenset[str]) -> list[tuple[Chunk, float]]:
        """The nearest pieces that are wanted and may be seen, and their cosines: no other is looked at."""
        ...

    def rows(self, sources: Sequence[str], vectors: bool = False) -> list[Row]:
        """Every piece of some sources, parents included, in no order."""
        ...

    def fetch(self, places: Sequence[tuple[Record, int]]) -> list[Row]:
        """The pieces of these sources and numbers, with their vectors, in no order."""
        ...

    def by_key(self, keys: Sequence[str]) -> dict[str, Vector]:
        """The vectors of texts, by the hash of each; those that are held."""
        ...

    def note(self, name: str, value: str) -> None:
        """Write down a fact."""
        ...

    def noted(self, name: str) -> str:
        """A fact; empty where nothing is noted."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


def piece_of(chunk: Chunk) -> str:
    """A piece as JSON, in which control characters are written out: PostgreSQL takes no NUL in a text."""
    return json.dumps(chunk_row(chunk), ensure_ascii=False)


def chunk_in(piece: str) -> Chunk:
    """The piece that `piece_of` wrote."""
    return chunk_of(tuple(json.loads(piece)))


def source_in(piece: str, otherwise: str) -> str:
    """The source of a piece as JSON; `otherwise` where it is damaged, which is told when the piece is verified."""
    try:
        return chunk_in(piece).source
    except (ValueError, TypeError, AttributeError):
        return otherwise


def key_of(text: str) -> str:
    """The hash of a text that is embedded."""
    return sha256(text).hex()


def whole_hash(pieces: Sequence[str]) -> str:
    """The hash of all pieces of a source, as JSON and by number."""
    return hashlib.sha256("".join(sha256(piece).hex() for piece in pieces).encode()).hexdigest()


def record_in(text: str) -> Record | None:
    """The record that `Record.text` wrote; None where it is damaged, so that its source counts as not put."""
    try:
        table = json.loads(text)
        return Record(**{**table, "problems": tuple(table["problems"])})
    except (ValueError, TypeError, KeyError):
        return None


def records_in(texts: Iterable[str]) -> dict[str, Record]:
    """The records that are whole, by source."""
    return {record.source: record for text in texts if (record := record_in(text)) is not None}


def as_word(text: str) -> str:
    """A text as every database takes it: without NUL and halves of characters."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")


def as_number(name: str, value: float) -> float | None:
    """A number as every database compares it, as a double; None for one that is none, which lies in no range.

    Raises UserError where it does not fit.
    """
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if number in (float("inf"), float("-inf")):
        raise UserError(f"the number in the metadata '{name}' is too large to be compared", "write it as text")
    return None if number != number else number


def column(kind: str, name: str) -> str:
    """The name of a column for metadata of a kind: plain where the name is plain, else in hexadecimal digits."""
    plain = name.isascii() and name.replace("_", "").isalnum() and name.islower()
    return f"{kind}_{name}" if plain else f"{kind}x_{as_word(name).encode().hex()}"
