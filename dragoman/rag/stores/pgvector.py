"""Pieces in PostgreSQL with pgvector: tables of pieces, sources and facts, changed in one transaction."""

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
    key_of,
    piece_of,
    record_in,
    records_in,
)

__all__ = ["EXACT_UP_TO", "TABLE", "PostgresKeeper", "compiled"]

Vector = NDArray[np.float32]
TABLE = "dragoman"
"the table where none is named"
EXACT_UP_TO = 50_000
"pieces, up to which every vector is looked at; past it a graph of neighbours (HNSW) is built"
WIDEST = 2000  # numbers of a vector that pgvector builds a graph of
WAIT = 30  # seconds for a connection
GENERATION, MODEL, WIDTH = "state:generation", "state:model", "state:width"
TABLES = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE IF NOT EXISTS {sources} (source text PRIMARY KEY, record text NOT NULL);
CREATE TABLE IF NOT EXISTS {facts} (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE IF NOT EXISTS {pieces} (
    source text NOT NULL, number bigint NOT NULL, piece text NOT NULL, key text NOT NULL, access text[] NOT NULL,
    meta jsonb NOT NULL, vector vector, PRIMARY KEY (source, number)
);
CREATE INDEX IF NOT EXISTS {keys} ON {pieces} (key)
"""
SETTINGS = """
SET hnsw.iterative_scan = strict_order;
SET hnsw.ef_search = 200;
SET hnsw.max_scan_tuples = 2147483647;
SET hnsw.scan_mem_multiplier = 1000
"""


def compiled(wanted: Filter) -> tuple[str, list[Any]]:
    """A filter that is `plain`, as a condition in SQL that is true or false and never NULL, and its values.

    Values, and the names of metadata too, are given apart from the statement.
    """
    match wanted:
        case Equals("source", value):
            return "source = %s", [value]
        case Equals(name, value):
            return "meta @> %s::jsonb", [json.dumps({as_word(name): value})]
        case Range(name, low, high):
            key = as_word(name)
            inside = "(meta ->> %s)::numeric BETWEEN %s::numeric AND %s::numeric"
            number = f"CASE WHEN jsonb_typeof(meta -> %s) = 'number' THEN {inside} ELSE FALSE END"
            return number, [key, key, repr(low), repr(high)]
        case All(parts):
            return _joined(" AND ", "TRUE", parts)
        case Either(parts):
            return _joined(" OR ", "FALSE", parts)
        case Not(part):
            inner, values = compiled(part)
            return f"NOT ({inner})", values
    raise UserError(f"{wanted!r} cannot be asked of PostgreSQL", "take Equals, OneOf, Range, All, Either or Not")


def _joined(word: str, first: str, parts: Sequence[Filter]) -> tuple[str, list[Any]]:
    found = [compiled(part) for part in parts]
    return "(" + word.join([first, *(inner for inner, _ in found)]) + ")", [one for _, held in found for one in held]


class PostgresKeeper:
    """Keeps rows in PostgreSQL. The password comes from PGPASSWORD, or from where libpq looks for it."""

    def __init__(self, place: str, table: str = TABLE, exact_up_to: int = EXACT_UP_TO) -> None:
        """Raises UserError where the client is not installed. The server is connected to when it is asked."""
        self.place = place
        self.exact_up_to = exact_up_to
        self._names = {"pieces": table, "sources": f"{table}_sources", "facts": f"{table}_facts"}
        self._names |= {"keys": f"{table}_key", "graph": f"{table}_graph"}
        self._connection: Any = None
        self._ready = False
        try:
            import pgvector.psycopg  # noqa: F401
            import psycopg  # noqa: F401
        except ImportError as error:
            raise UserError("psycopg and pgvector are not installed", 'pip install "dragoman[pgvector]"') from error

    @property
    def caps(self) -> Caps:
        """What it can do: approximately past a number of pieces."""
        return Caps(ann=True)

    def close(self) -> None:
        """Let go of it."""
        if self._connection is not None:
            self._connection.close()

    @contextmanager
    def _told(self) -> Iterator[Any]:
        """A connection; what the server finds wrong is told as a mistake. It is not quoted: it may repeat values."""
        import psycopg

        try:
            if self._connection is None or self._connection.closed:
                self._ready = False
                self._connection = psycopg.connect(self.place, autocommit=True, connect_timeout=WAIT)
            yield self._connection
        except psycopg.errors.InsufficientPrivilege as error:
            raise UserError(f"{self.place}: this user may not do that", "let the owner GRANT it") from error
        except psycopg.OperationalError as error:
            hint = "start the server, or set PGPASSWORD where it asks for a password"
            raise UserError(f"{self.place} cannot be reached", hint) from error
        except psycopg.Error as error:
            hint = "see that its server has the extension vector, and that the table is Dragoman's"
            raise UserError(f"{self.place} refused a statement ({error.sqlstate or 'no state'})", hint) from error

    def _statement(self, text: str) -> Any:
        """A statement with the names of the tables filled in, quoted."""
        from psycopg import sql

        template: Any = sql.SQL
        return template(text).format(**{name: sql.Identifier(held) for name, held in self._names.items()})

    def _there(self) -> bool:
        """Whether the tables are there; the connection then knows what a vector is."""
        if self._ready and not self._connection.closed:
            return True
        with self._told() as connection:
            found = connection.execute("SELECT to_regclass(%s)", (f'"{self._names["pieces"]}"',)).fetchone()[0]
            if found:
                self._settle(connection)
                self._ready = True
        return self._ready

    def _settle(self, connection: Any) -> None:
        """Let a connection know what a vector is, and how long a graph is walked: until enough is found."""
        from pgvector.psycopg import register_vector

        register_vector(connection)
        for line in SETTINGS.split(";"):
            connection.execute(line)

    def _asked(self, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a question; none where there are no tables."""
        if not self._there():
            return []
        with self._told() as connection:
            found: list[tuple[Any, ...]] = connection.execute(self._statement(text), values, binary=True).fetchall()
        return found

    @contextmanager
    def _changing(self) -> Iterator[Any]:
        """One transaction, alone among those that write: the tables are made where they are not there."""
        made = self._there()
        with self._told() as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (self._names["pieces"],))
            if not made:
                for line in TABLES.split(";"):
                    connection.execute(self._statement(line))
                self._settle(connection)
            yield connection

    def _fact(self, connection: Any, name: str, value: str) -> None:
        text = "INSERT INTO {facts} VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value"
        connection.execute(self._statement(text), (name, value))

    def _step(self, connection: Any) -> None:
        self._fact(connection, GENERATION, uuid.uuid4().hex)

    def _held(self, name: str) -> str:
        found = self._asked("SELECT value FROM {facts} WHERE name = %s", (name,))
        return str(found[0][0]) if found else ""

    def generation(self) -> str:
        """The mark that every transaction changes."""
        return self._held(GENERATION)

    def made(self) -> Made:
        """What its vectors come from."""
        return Made(self._held(MODEL), int(self._held(WIDTH) or 0))

    def record(self, source: str) -> Record | None:
        """What the manifest says of a source."""
        found = self._asked("SELECT record FROM {sources} WHERE source = %s", (as_word(source),))
        return record_in(_unquoted(found[0][0])) if found else None

    def records(self) -> dict[str, Record]:
        """The manifest, by source."""
        return records_in(_unquoted(row[0]) for row in self._asked("SELECT record FROM {sources}"))

    def counted(self) -> dict[str, int]:
        """How many pieces of each source lie there."""
        return dict(self._asked("SELECT source, count(*) FROM {pieces} GROUP BY source"))

    # -- writing -----------------------------------------------------------------------------------------------------
    def put(self, record: Record, chunks: Sequence[Chunk], vectors: Vector | None, made: Made) -> None:
        """Put a source in the place of what it was: one transaction."""
        rows = _rows(chunks, vectors)
        count = sum(one.chunks for one in self.records().values()) + len(rows)
        with self._changing() as connection:
            connection.execute(self._statement("DELETE FROM {pieces} WHERE source = %s"), (as_word(record.source),))
            if rows:
                with connection.cursor() as cursor:
                    text = "INSERT INTO {pieces} VALUES (%s, %s, %s, %s, %s::text[], %s::jsonb, %s::vector)"
                    cursor.executemany(self._statement(text), rows)
            self._enter(connection, record)
            self._fact(connection, MODEL, made.model)
            self._fact(connection, WIDTH, str(made.width))
            if made.width and count > self.exact_up_to and made.width <= WIDEST:
                graph = f"USING hnsw ((vector::vector({int(made.width)})) vector_ip_ops)"
                connection.execute(self._statement(f"CREATE INDEX IF NOT EXISTS {{graph}} ON {{pieces}} {graph}"))
            self._step(connection)

    def _enter(self, connection: Any, record: Record) -> None:
        text = "INSERT INTO {sources} VALUES (%s, %s) ON CONFLICT (source) DO UPDATE SET record = EXCLUDED.record"
        connection.execute(self._statement(text), (as_word(record.source), json.dumps(record.text)))

    def drop(self, source: str) -> None:
        """Take a source out: one transaction."""
        with self._changing() as connection:
            for name in ("pieces", "sources"):
                text = f"DELETE FROM {{{name}}} WHERE source = %s"
                connection.execute(self._statement(text), (as_word(source),))
            self._step(connection)

    def mark(self, record: Record) -> None:
        """Change what the manifest says of a source."""
        with self._changing() as connection:
            self._enter(connection, record)
            self._step(connection)

    def note(self, name: str, value: str) -> None:
        """Write down a fact."""
        with self._changing() as connection:
            self._fact(connection, f"fact:{name}", json.dumps(value))

    def noted(self, name: str) -> str:
        """A fact; empty where nothing is noted."""
        held = self._held(f"fact:{name}")
        return str(json.loads(held)) if held else ""

    # -- reading -----------------------------------------------------------------------------------------------------
    def near(self, vector: Vector, k: int, wanted: Filter | None, groups: frozenset[str]) -> list[tuple[Chunk, float]]:
        """The nearest pieces that are wanted and may be seen, and their cosines."""
        where, values = compiled(plain(wanted)) if wanted else ("TRUE", [])
        near = f"vector::vector({len(vector)}) <#> %s"
        text = (
            f"SELECT piece, -({near}) FROM {{pieces}} WHERE vector IS NOT NULL AND key != '' "
            f"AND (cardinality(access) = 0 OR access && %s::text[]) AND {where} ORDER BY {near} LIMIT %s"
        )
        seen = [as_word(group) for group in sorted(groups)]
        found = self._asked(text, [vector, seen, *values, vector, k])
        return [(chunk_in(piece), float(cosine)) for piece, cosine in found]

    def rows(self, sources: Sequence[str], vectors: bool = False) -> list[Row]:
        """Every piece of some sources."""
        text = (
            "SELECT piece, key, access, " + ("vector" if vectors else "NULL") + " FROM {pieces} WHERE source = ANY(%s)"
        )
        return [_row(row) for row in self._asked(text, [[as_word(source) for source in sources]])]

    def fetch(self, places: Sequence[tuple[Record, int]]) -> list[Row]:
        """The pieces of these sources and numbers, with their vectors."""
        if not places:
            return []
        text = (
            "SELECT piece, key, access, vector FROM {pieces} "
            "JOIN unnest(%s::text[], %s::bigint[]) AS wanted (name, at) ON source = name AND number = at"
        )
        names = [as_word(record.source) for record, _ in places]
        return [_row(row) for row in self._asked(text, [names, [number for _, number in places]])]

    def by_key(self, keys: Sequence[str]) -> dict[str, Vector]:
        """The vectors of texts, by the hash of each."""
        text = "SELECT DISTINCT ON (key) key, vector FROM {pieces} WHERE key = ANY(%s) AND vector IS NOT NULL"
        return {key: vector.to_numpy() for key, vector in self._asked(text, [list(keys)])}


def _rows(chunks: Sequence[Chunk], vectors: Vector | None) -> list[tuple[Any, ...]]:
    """The pieces of a source as rows; parents have no key and no vector."""
    left = iter([] if vectors is None else vectors)
    rows = []
    for chunk in chunks:
        key = "" if chunk.is_parent else key_of(chunk.embedded)
        vector = None if chunk.is_parent or vectors is None else next(left)
        access = [as_word(group) for group in sorted(chunk.access)]
        source, meta = as_word(chunk.source), json.dumps(_compared(chunk.meta))
        rows.append((source, chunk.number, piece_of(chunk), key, access, meta, vector))
    return rows


def _compared(meta: Any) -> dict[str, Value]:
    """Metadata as filters see it: numbers are doubles, NaN is left out, and nothing odd is in a text."""
    found: dict[str, Value] = {}
    for name, value in dict(meta).items():
        if isinstance(value, bool):
            found[as_word(name)] = value
        elif isinstance(value, str):
            found[as_word(name)] = as_word(value)
        elif (number := as_number(name, value)) is not None:
            found[as_word(name)] = number
    return found


def _unquoted(text: str) -> str:
    """A record out of the quotes it lies in; empty where it is damaged."""
    try:
        return str(json.loads(text))
    except ValueError:
        return ""


def _row(row: tuple[Any, ...]) -> Row:
    """A piece as it lies there."""
    piece, key, access, vector = row
    return Row(piece, key, frozenset(access), None if vector is None else vector.to_numpy())
