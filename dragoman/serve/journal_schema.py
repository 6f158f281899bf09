"""The one file of the journal: its tables, how it is opened and brought up to date, and how a request lies in it.

SQLite, synced at every commit. It writes ahead only where its version is 3.51.3 or later: before that, several
processes could damage such a log, and the older rollback journal is used, with the folder synced too (EXTRA), for else
a power cut right behind a commit could undo it.
"""

import os
import sqlite3
import stat
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from dragoman.core.disk import make, spoken, sync
from dragoman.core.errors import Busy, UserError

__all__ = [
    "DAY",
    "MIGRATIONS",
    "NAMES",
    "SECOND",
    "SECONDS_KEPT",
    "WAIT",
    "Entry",
    "check_mark",
    "entry_of",
    "entry_row",
    "journal_mode",
    "opened",
]

MARK = 0x4452414A  # "DRAJ", in application_id: any other SQLite file is refused
WAIT = 30.0  # seconds for another process: at 5, one of eight writers waited that long in vain
WAL_FROM = (3, 51, 3)
SECOND, DAY = 1, 86_400  # the grains of what is spent
SECONDS_KEPT = 3600  # how long what is spent is known by the second

# Each brings a file from the version before it to its own, which is its place in this list, counted from 1. Only ever
# add to the end: files of every version are out there.
MIGRATIONS: tuple[str, ...] = (
    """
CREATE TABLE entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, at REAL NOT NULL, key TEXT NOT NULL,
    route TEXT NOT NULL, model TEXT NOT NULL, lineage TEXT NOT NULL, status INTEGER NOT NULL, prompt TEXT NOT NULL,
    answer TEXT NOT NULL, refused INTEGER NOT NULL, read INTEGER NOT NULL, written INTEGER NOT NULL,
    first REAL NOT NULL, seconds REAL NOT NULL, guard_hits INTEGER NOT NULL, arm TEXT NOT NULL, texts INTEGER NOT NULL
);
CREATE INDEX entries_at ON entries (at);
CREATE TABLE feedback (
    id TEXT PRIMARY KEY REFERENCES entries (id) ON DELETE CASCADE, at REAL NOT NULL, thumb INTEGER,
    correction TEXT NOT NULL, comment TEXT NOT NULL
);
CREATE INDEX feedback_at ON feedback (at);
CREATE TABLE conversations (
    key TEXT NOT NULL, id TEXT NOT NULL, title TEXT NOT NULL, updated REAL NOT NULL, model TEXT NOT NULL,
    messages TEXT NOT NULL, PRIMARY KEY (key, id)
);
CREATE TABLE spent (
    key TEXT NOT NULL, grain INTEGER NOT NULL, start INTEGER NOT NULL, requests INTEGER NOT NULL,
    tokens INTEGER NOT NULL, PRIMARY KEY (key, grain, start)
) WITHOUT ROWID;
CREATE INDEX spent_start ON spent (grain, start);
""",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One request and its answer, as the journal keeps them. Times are seconds, `at` since 1970."""

    id: str
    at: float
    key: str
    "the name of the key that asked; empty on a server without keys"
    route: str
    model: str
    lineage: str
    "where the answer comes from, as JSON"
    status: int
    prompt: str
    "what was asked, as JSON: messages, or texts"
    answer: str
    refused: bool
    "whether the assistant would not answer"
    read: int
    "tokens of the prompt"
    written: int
    "tokens of the answer"
    first: float
    "until the first token"
    seconds: float
    guard_hits: int = 0
    arm: str = ""
    "of a trial between two models, the one that answered"


NAMES = tuple(field.name for field in fields(Entry))


def entry_row(entry: Entry) -> dict[str, Any]:
    """A request as it lies in the table, by column."""
    row = dict(zip(NAMES, astuple(entry), strict=True))
    # Half of a surrogate pair is no text; SQLite cannot hold it, and one such letter must not cost the row.
    row = {
        name: value.encode("utf-8", "replace").decode() if type(value) is str else value for name, value in row.items()
    }
    return row | {"refused": int(entry.refused)}


def entry_of(row: Sequence[Any]) -> Entry:
    """The request that lies in a row of NAMES."""
    said = dict(zip(NAMES, row, strict=True))
    return Entry(**(said | {"refused": bool(said["refused"])}))


def journal_mode(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> tuple[str, str]:
    """How SQLite of a version keeps a transaction whole: its journal_mode and its synchronous."""
    return ("WAL", "FULL") if version >= WAL_FROM else ("DELETE", "EXTRA")


def opened(path: Path, wait: float = WAIT) -> sqlite3.Connection:
    """The journal's file, for writing, made where it is not there and brought up to date where it is older.

    Raises UserError where it is something else, was written by a later version, or may be read by others; Busy where
    another process holds it for longer than `wait` seconds.
    """
    with spoken(path):
        make(path.parent)
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives the files beside it the same mode
            sync(path.parent)
        mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise UserError(f"the journal {path} is open to other users (mode {mode:o})", f"say: chmod 600 {path}")
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(path, timeout=wait, isolation_level=None, check_same_thread=False)
        _settle(connection, path)
    except BaseException as error:
        if connection is not None:
            connection.close()
        if not isinstance(error, sqlite3.DatabaseError):
            raise
        if "locked" in str(error) or "busy" in str(error):
            raise Busy(f"{path} is being written by another process", "wait until it is done, or stop it") from error
        if "full" in str(error):
            raise UserError(f"the disk of {path} is full", "free some space, then start again") from error
        raise UserError(f"{path} is not a journal that can be written: {error}", "give another place") from error
    return connection


def check_mark(connection: sqlite3.Connection, path: Path) -> int:
    """Which version a file is of, 0 where it is empty. Raises UserError where it is no journal, or of a later one."""
    number, mark = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id"))
    if mark == MARK and number > len(MIGRATIONS):
        raise UserError(f"{path} was written by a later version of Dragoman", "pip install -U dragoman")
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] and mark != MARK:
        raise UserError(f"{path} is a database of something else", "give another place")
    return int(number)


def _settle(connection: sqlite3.Connection, path: Path) -> None:
    number = check_mark(connection, path)
    log, how = journal_mode()
    settings = ("trusted_schema = OFF", "auto_vacuum = INCREMENTAL", f"journal_mode = {log}", f"synchronous = {how}")
    # What is deleted is overwritten, so that a conversation that is deleted is gone from the file.
    for setting in (*settings, "secure_delete = ON", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {setting}")
    if number == len(MIGRATIONS):
        return
    if number:
        _save(connection, path, number)
    connection.execute("BEGIN IMMEDIATE")
    number = connection.execute("PRAGMA user_version").fetchone()[0]  # another may have been first
    for script in MIGRATIONS[number:]:
        for statement in script.split(";\n"):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    connection.execute(f"PRAGMA application_id = {MARK}")
    connection.execute("COMMIT")


def _save(connection: sqlite3.Connection, path: Path, number: int) -> None:
    """Keep the file as it was beside itself, as NAME.version-N, before its tables are changed."""
    copy = path.with_name(f"{path.name}.version-{number}")
    copy.unlink(missing_ok=True)  # of a try that was cut off; the file itself is still of that version
    os.close(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    connection.execute("VACUUM INTO ?", (str(copy),))
    sync(copy)
    sync(copy.parent)
