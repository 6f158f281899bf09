"""The one file of a store: its tables, how it is opened, and how pieces and vectors lie in it.

SQLite with a write-ahead log, synced at every commit: killed or cut off from power at any instant, the file holds each
transaction whole or not at all. Text lies as UTF-8, metadata as JSON, vectors and term counts as plain numbers.
"""

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dragoman.core.documents import Chunk
from dragoman.core.errors import Busy, UserError

__all__ = ["COLUMNS", "WAIT", "chunk_of", "chunk_row", "fingerprint", "opened", "row_hash", "sha256", "vector_of"]

NUMBER = 1  # of the tables below, in user_version: a store of a higher one is refused
MARK = 0x44524147  # "DRAG", in application_id: any other SQLite file is refused
WAIT = 30.0  # seconds for another process to finish writing
TABLES = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE sources (
    source TEXT PRIMARY KEY, version TEXT NOT NULL, title TEXT NOT NULL, language TEXT NOT NULL,
    problems TEXT NOT NULL, meta TEXT NOT NULL, chunks INTEGER NOT NULL, hash BLOB NOT NULL
);
CREATE TABLE labels (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, meta TEXT NOT NULL, access TEXT NOT NULL,
    UNIQUE (source, meta, access)
);
CREATE TABLE terms (id INTEGER PRIMARY KEY, term TEXT NOT NULL UNIQUE);
CREATE TABLE texts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE, terms BLOB NOT NULL, counts BLOB NOT NULL
);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, number INTEGER NOT NULL, first INTEGER NOT NULL,
    past INTEGER NOT NULL, body TEXT NOT NULL, path TEXT NOT NULL, page INTEGER NOT NULL, parent INTEGER NOT NULL,
    is_parent INTEGER NOT NULL, label INTEGER NOT NULL, text INTEGER, hash BLOB NOT NULL, UNIQUE (source, number)
);
CREATE INDEX chunks_text ON chunks (text);
CREATE INDEX chunks_label ON chunks (label);
CREATE TABLE spaces (id INTEGER PRIMARY KEY AUTOINCREMENT, fingerprint TEXT NOT NULL UNIQUE, width INTEGER NOT NULL);
CREATE TABLE vectors (space INTEGER NOT NULL, text INTEGER NOT NULL, vector BLOB NOT NULL, UNIQUE (space, text));
CREATE INDEX vectors_text ON vectors (text);
CREATE TABLE prompts (name TEXT NOT NULL, hash TEXT NOT NULL, text TEXT NOT NULL, UNIQUE (name, hash));
INSERT INTO settings VALUES ('generation', 0), ('space', 0);
"""
COLUMNS = (
    "chunks.source, chunks.number, chunks.first, chunks.past, chunks.body, chunks.path, chunks.page, chunks.parent, "
    "chunks.is_parent, labels.meta, labels.access"
)
"what `chunk_of` reads, from chunks and labels"


def sha256(text: str) -> bytes:
    """The key of a text."""
    return hashlib.sha256(text.encode("utf-8")).digest()


def chunk_row(chunk: Chunk) -> tuple[Any, ...]:
    """A piece as it lies in COLUMNS."""
    meta = json.dumps(dict(chunk.meta), sort_keys=True, ensure_ascii=False)
    access = json.dumps(sorted(chunk.access), ensure_ascii=False)
    path = json.dumps(chunk.path, ensure_ascii=False)
    place = (chunk.source, chunk.number, chunk.start, chunk.end, chunk.text, path, chunk.page, chunk.parent)
    return (*place, int(chunk.is_parent), meta, access)


def row_hash(row: tuple[Any, ...]) -> bytes:
    """SHA-256 of a piece as it lies in COLUMNS."""
    return sha256(json.dumps(row, ensure_ascii=False))


def chunk_of(row: tuple[Any, ...]) -> Chunk:
    """The piece that lies in COLUMNS."""
    source, number, start, end, text, path, page, parent, is_parent, meta, access = row
    return Chunk(
        source, number, start, end, text, tuple(json.loads(path)), page, parent, bool(is_parent), json.loads(meta),
        frozenset() if access == "[]" else frozenset(json.loads(access)),
    )  # fmt: skip


def vector_of(data: bytes) -> NDArray[np.float32]:
    """A vector as it lies in the file, four bytes a number, the lowest first."""
    return np.frombuffer(data, dtype="<f4")


def fingerprint(connection: sqlite3.Connection) -> str:
    """What embedded the space that is searched; empty where there is none."""
    row = connection.execute(
        "SELECT fingerprint FROM spaces JOIN settings ON settings.value = spaces.id WHERE settings.name = 'space'"
    ).fetchone()
    return str(row[0]) if row else ""


def opened(path: Path, wait: float = WAIT, sealed: bool = False) -> sqlite3.Connection:
    """The file of a store, made where it is not there. Raises UserError where the file is something else.

    One that is `sealed` is never written again, by nobody: nothing is locked, and no file is put beside it.
    """
    if not path.parent.is_dir():
        raise UserError(f"there is no folder {path.parent}", "make it, or give another place")
    try:
        place = f"{path.absolute().as_uri()}?immutable=1" if sealed else str(path)
        connection = sqlite3.connect(place, timeout=wait, isolation_level=None, check_same_thread=False, uri=sealed)
    except sqlite3.OperationalError as error:
        raise UserError(f"{path} cannot be opened: {error}", "give the path of a file that may be written") from error
    try:
        _settle(connection, path, sealed)
    except sqlite3.DatabaseError as error:
        connection.close()
        if "locked" in str(error) or "busy" in str(error):
            raise Busy(f"{path} is being written by another process", "wait until it is done, or stop it") from error
        raise UserError(f"{path} is not a store of documents: {error}", "give another place, or remove it") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _settle(connection: sqlite3.Connection, path: Path, sealed: bool) -> None:
    """Make the tables where there are none, and see that they are those of this version."""
    number, mark = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id"))
    if number > NUMBER and mark == MARK:
        raise UserError(f"{path} was written by a later version of Dragoman", "pip install -U dragoman")
    held = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if held and (mark != MARK or number != NUMBER):
        raise UserError(f"{path} is a database of something else", "give another place")
    connection.execute("PRAGMA trusted_schema = OFF")
    if sealed:
        return
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if held:
        return
    connection.execute("BEGIN IMMEDIATE")
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:  # else another was first
        for statement in TABLES.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {NUMBER}")
        connection.execute(f"PRAGMA application_id = {MARK}")
    connection.execute("COMMIT")
