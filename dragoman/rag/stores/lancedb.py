"""Pieces in LanceDB: one table in a folder, in which a source and its record change in one commit.

Every commit is a version of the table, written beside the others and then switched to: a reader sees one whole version.
Metadata lies in columns: texts and truth values as tags, each name of a number in a column of its own.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dragoman.core.documents import All, Caps, Chunk, Either, Equals, Filter, Not, Range, Value
from dragoman.core.errors import UserError
from dragoman.rag.stores.asked import plain
from dragoman.rag.stores.rows import (
    Made,
    Record,
    Row,
    as_number,
    as_word,
    chunk_in,
    column,
    key_of,
    piece_of,
    record_in,
    records_in,
    source_in,
)

__all__ = ["LanceKeeper", "compiled"]

Vector = NDArray[np.float32]
PIECES, FACTS = "dragoman", "dragoman_facts"
MODEL = "model of the vectors"
RECORD = -1  # the number of the row that holds a source's record
EVERY = 50  # puttings, after which small files are made one
KEPT = timedelta(hours=1)  # that a version is there for who reads it
TOGETHER = 500  # values in one question
ALL = 2**31 - 1  # rows: a scan is not cut
CORE = ("id", "source", "number", "piece", "key", "open", "access", "tags", "record", "vector")


def compiled(wanted: Filter, numbers: frozenset[str]) -> str:
    """A filter that is `plain`, as a condition in SQL that is true or false and never NULL.

    `numbers` are the columns there are: a number that no piece has equals nothing.
    """
    match wanted:
        case Equals("source", str(value)):
            return f"source = {_quoted(value)}"
        case Equals(name, bool() | str() as value):
            return f"array_has(tags, {_quoted(_tag(name, value))})"
        case Equals(name, value):
            return _between(column("n", name), float(value), float(value), numbers)
        case Range(name, float(low), float(high)):
            return _between(column("n", name), low, high, numbers)
        case All(parts):
            return "(" + " AND ".join(["TRUE", *(compiled(part, numbers) for part in parts)]) + ")"
        case Either(parts):
            return "(" + " OR ".join(["FALSE", *(compiled(part, numbers) for part in parts)]) + ")"
        case Not(part):
            return f"(NOT {compiled(part, numbers)})"
    raise UserError(f"{wanted!r} cannot be asked of LanceDB", "take Equals, OneOf, Range, All, Either or Not")


def _between(name: str, low: float, high: float, numbers: frozenset[str]) -> str:
    if name not in numbers:
        return "FALSE"
    return f"({name} IS NOT NULL AND {name} >= {low!r} AND {name} <= {high!r})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _tag(name: str, value: bool | str) -> str:
    return column("b", name) + ("=true" if value else "=false") if isinstance(value, bool) else _word(name, value)


def _word(name: str, value: str) -> str:
    return f"{column('s', name)}={as_word(value)}"


class LanceKeeper:
    """Keeps rows in LanceDB, in a folder."""

    def __init__(self, place: str) -> None:
        """Raises UserError where LanceDB is not installed, or the folder cannot be opened."""
        self.place = place
        try:
            import lancedb
        except ImportError as error:
            raise UserError("LanceDB is not installed", 'pip install "dragoman[lancedb]"') from error
        with self._told():
            Path(place).mkdir(parents=True, exist_ok=True)
            self._base: Any = lancedb.connect(place, read_consistency_interval=timedelta(0))
        self._tables: dict[str, Any] = {}
        self._puttings = 0

    @property
    def caps(self) -> Caps:
        """What it can do: it looks at every vector."""
        return Caps()

    def close(self) -> None:
        """Let go of it."""
        self._tables.clear()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the folder or the library finds wrong is told as a mistake."""
        try:
            yield
        except OSError as error:
            raise UserError(f"{self.place} cannot be used: {error.strerror}", "give a folder of your own") from error
        except (RuntimeError, ValueError) as error:
            raise UserError(f"LanceDB cannot use {self.place}", "give the command again, or another folder") from error

    def _table(self, name: str) -> Any:
        """A table; None where it is not there."""
        if name not in self._tables:
            with self._told():
                if name not in self._base.list_tables().tables:
                    return None
                self._tables[name] = self._base.open_table(name)
        return self._tables[name]

    def _read(self, where: str, fields: Sequence[str]) -> list[dict[str, Any]]:
        """The rows a condition holds for."""
        table = self._table(PIECES)
        if table is None:
            return []
        with self._told():
            found: list[dict[str, Any]] = table.search().where(where).select(list(fields)).limit(ALL).to_list()
        return found

    def generation(self) -> str:
        """The number of the table's version."""
        table = self._table(PIECES)
        with self._told():
            return "" if table is None else str(table.version)

    def made(self) -> Made:
        """What its vectors come from."""
        table = self._table(PIECES)
        if table is None or "vector" not in table.schema.names:
            return Made()
        return Made(self.noted(MODEL), table.schema.field("vector").type.list_size)

    def record(self, source: str) -> Record | None:
        """What the manifest says of a source."""
        found = self._read(f"number = {RECORD} AND source = {_quoted(as_word(source))}", ["record"])
        return record_in(found[0]["record"]) if found else None

    def records(self) -> dict[str, Record]:
        """The manifest, by source."""
        return records_in(row["record"] for row in self._read(f"number = {RECORD}", ["record"]))

    def counted(self) -> dict[str, int]:
        """How many pieces of each source lie there."""
        counts: dict[str, int] = {}
        for row in self._read(f"number != {RECORD}", ["piece", "source"]):
            source = source_in(row["piece"], row["source"])
            counts[source] = counts.get(source, 0) + 1
        return counts

    # -- writing -----------------------------------------------------------------------------------------------------
    def put(self, record: Record, chunks: Sequence[Chunk], vectors: Vector | None, made: Made) -> None:
        """Put a source in the place of what it was: one commit."""
        rows = [*_rows(chunks, vectors), _record_row(record)]
        if made.width and not self.made().width:
            # The table is made anew: others have no pieces, but their records stay.
            others = [held for source, held in self.records().items() if source != record.source]
            rows += map(_record_row, others)
            self.note(MODEL, made.model)
            with self._told():
                table = self._base.create_table(PIECES, _arrow(rows, made.width), mode="overwrite")
                self._tables[PIECES] = table
            return
        if self._table(PIECES) is None:
            with self._told():
                self._tables[PIECES] = self._base.create_table(PIECES, _arrow(rows, 0), mode="overwrite")
            return
        self._merge(rows, f"source = {_quoted(as_word(record.source))}")
        self._puttings += 1
        if self._puttings % EVERY == 0:
            with self._told():
                self._table(PIECES).optimize(cleanup_older_than=KEPT)

    def _merge(self, rows: Sequence[dict[str, Any]], gone: str = "") -> None:
        """Put rows in the place of those of the same id, and drop others that a condition holds for: one commit."""
        table = self._table(PIECES)
        with self._told():
            names = {name for row in rows for name in row["numbers"]} - {*table.schema.names}
            if names:
                table.add_columns(dict.fromkeys(sorted(names), "cast(NULL as double)"))
            data = _arrow(rows, self.made().width, table.schema.names)
            merge = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            (merge.when_not_matched_by_source_delete(gone) if gone else merge).execute(data)

    def drop(self, source: str) -> None:
        """Take a source out: one commit."""
        table = self._table(PIECES)
        if table is not None:
            with self._told():
                table.delete(f"source = {_quoted(as_word(source))}")

    def mark(self, record: Record) -> None:
        """Change what the manifest says of a source."""
        self._merge([_record_row(record)])

    def note(self, name: str, value: str) -> None:
        """Write down a fact."""
        import pyarrow as pa

        row = pa.table({"name": [name], "value": [value]})
        table = self._table(FACTS)
        with self._told():
            if table is None:
                self._tables[FACTS] = self._base.create_table(FACTS, row)
            else:
                table.merge_insert("name").when_matched_update_all().when_not_matched_insert_all().execute(row)

    def noted(self, name: str) -> str:
        """A fact; empty where nothing is noted."""
        table = self._table(FACTS)
        if table is None:
            return ""
        with self._told():
            found = table.search().where(f"name = {_quoted(name)}").limit(1).to_list()
        return str(found[0]["value"]) if found else ""

    # -- reading -----------------------------------------------------------------------------------------------------
    def near(self, vector: Vector, k: int, wanted: Filter | None, groups: frozenset[str]) -> list[tuple[Chunk, float]]:
        """The nearest pieces that are wanted and may be seen, and their cosines."""
        table = self._table(PIECES)
        if table is None or not self.made().width:
            return []
        numbers = frozenset(name for name in table.schema.names if name.startswith(("n_", "nx_")))
        seen = "open"
        if groups:
            seen = f"(open OR array_has_any(access, make_array({_list(as_word(one) for one in sorted(groups))})))"
        where = f"key != '' AND {seen}" + (f" AND {compiled(plain(wanted), numbers)}" if wanted else "")
        with self._told():
            query = table.search(vector, vector_column_name="vector").distance_type("dot").where(where, prefilter=True)
            found = query.limit(k).select(["piece", "_distance"]).to_list()
        return [(chunk_in(row["piece"]), 1 - float(row["_distance"])) for row in found]

    def rows(self, sources: Sequence[str], vectors: bool = False) -> list[Row]:
        """Every piece of some sources."""
        if not sources:
            return []
        where = f"number != {RECORD} AND source IN ({_list(map(as_word, sources))})"
        return self._found(where, vectors)

    def fetch(self, places: Sequence[tuple[Record, int]]) -> list[Row]:
        """The pieces of these sources and numbers, with their vectors."""
        found: list[Row] = []
        ids = [_id(record.source, number) for record, number in places]
        for start in range(0, len(ids), TOGETHER):
            found += self._found(f"id IN ({_list(ids[start : start + TOGETHER])})", True)
        return found

    def by_key(self, keys: Sequence[str]) -> dict[str, Vector]:
        """The vectors of texts, by the hash of each."""
        found: dict[str, Vector] = {}
        if self.made().width:
            for start in range(0, len(keys), TOGETHER):
                for row in self._found(f"key IN ({_list(keys[start : start + TOGETHER])})", True):
                    if row.vector is not None:
                        found[row.key] = row.vector
        return found

    def _found(self, where: str, vectors: bool) -> list[Row]:
        with_vectors = vectors and self.made().width > 0
        found = self._read(where, ["piece", "key", "access", *(["vector"] if with_vectors else [])])
        return [_row(row, with_vectors) for row in found]


def _list(texts: Any) -> str:
    return ", ".join(map(_quoted, texts))


def _id(source: str, number: int) -> str:
    return f"{number}:{as_word(source)}"


def _rows(chunks: Sequence[Chunk], vectors: Vector | None) -> list[dict[str, Any]]:
    """The pieces of a source as rows; parents have no key, and a vector that is never looked at."""
    left = iter([] if vectors is None else vectors)
    rows = []
    for chunk in chunks:
        tags, numbers = _labelled(chunk.meta)
        rows.append(
            {
                "id": _id(chunk.source, chunk.number),
                "source": as_word(chunk.source),
                "number": chunk.number,
                "piece": piece_of(chunk),
                "key": "" if chunk.is_parent else key_of(chunk.embedded),
                "open": not chunk.access,
                "access": [as_word(group) for group in sorted(chunk.access)],
                "tags": tags,
                "record": "",
                "numbers": numbers,
                "vector": None if chunk.is_parent or vectors is None else next(left),
            }
        )
    return rows


def _labelled(meta: Any) -> tuple[list[str], dict[str, float]]:
    """Metadata as tags, and as numbers by the name of their column."""
    held: dict[str, Value] = dict(meta)
    tags = [_tag(name, value) for name, value in held.items() if isinstance(value, bool | str)]
    found = {name: as_number(name, value) for name, value in held.items() if not isinstance(value, bool | str)}
    return tags, {column("n", name): number for name, number in found.items() if number is not None}


def _record_row(record: Record) -> dict[str, Any]:
    """The row of a source's record, which is no piece: it has no key."""
    source = as_word(record.source)
    told = {"id": _id(record.source, RECORD), "source": source, "number": RECORD, "record": record.text}
    return {**told, "piece": "", "key": "", "open": False, "access": [], "tags": [], "numbers": {}, "vector": None}


def _arrow(rows: Sequence[dict[str, Any]], width: int, names: Sequence[str] = ()) -> Any:
    """Rows as an Arrow table with all columns of the table they go into."""
    import pyarrow as pa

    words, lists = pa.string(), pa.list_(pa.string())
    kinds = dict(zip(CORE, (words, words, pa.int64(), words, words, pa.bool_(), lists, lists, words), strict=False))
    columns: dict[str, Any] = {name: pa.array([row[name] for row in rows], kind) for name, kind in kinds.items()}
    if width:
        nought = np.zeros(width, dtype=np.float32)
        flat = np.concatenate([nought if row["vector"] is None else row["vector"] for row in rows])
        columns["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), width)
    numbers = {name for row in rows for name in row["numbers"]} | {*names} - {*CORE}
    for name in sorted(numbers):
        columns[name] = pa.array([row["numbers"].get(name) for row in rows], pa.float64())
    return pa.table(columns)


def _row(row: dict[str, Any], vectors: bool) -> Row:
    """A piece as it lies there."""
    vector = np.array(row["vector"], dtype=np.float32) if vectors and row["key"] else None
    return Row(row["piece"], row["key"], frozenset(row["access"]), vector)
