"""Spaces of vectors in a store's file: one is searched and always whole, another may be filled beside it."""

import sqlite3
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dragoman.core.errors import UserError
from dragoman.rag.fitting import unit
from dragoman.rag.schema import COLUMNS, chunk_of, fingerprint, sha256

__all__ = ["HELD", "active", "begin", "fill", "missing", "put", "switch"]

Vectors = NDArray[np.float32]
HELD = (
    "SELECT vector FROM vectors JOIN texts ON texts.id = vectors.text JOIN settings ON settings.value = vectors.space "
    "WHERE settings.name = 'space' AND texts.hash = ?"
)
LACKING = "FROM texts WHERE id NOT IN (SELECT text FROM vectors WHERE space = ?)"


def active(connection: sqlite3.Connection) -> str:
    """The fingerprint of the space that is searched."""
    return fingerprint(connection)


def _space(connection: sqlite3.Connection, name: str) -> tuple[int, int]:
    """Number and width of a space."""
    row = connection.execute("SELECT id, width FROM spaces WHERE fingerprint = ?", (name,)).fetchone()
    if row is None:
        raise UserError(f"the store has no space of the model '{name}'", "begin it first")
    return int(row[0]), int(row[1])


def begin(connection: sqlite3.Connection, name: str, width: int) -> None:
    """Open a space; one that is open stays, where it has the same width."""
    if not name or width < 1:
        raise UserError("a space has the name of a model and a width", "give both")
    held = connection.execute("SELECT width FROM spaces WHERE fingerprint = ?", (name,)).fetchone()
    if held is None:
        connection.execute("INSERT INTO spaces (fingerprint, width) VALUES (?, ?)", (name, width))
    elif held[0] != width:
        raise UserError(
            f"the vectors of '{name}' have {held[0]} numbers, not {width}", "name the other model otherwise"
        )


def missing(connection: sqlite3.Connection, name: str, most: int) -> list[str]:
    """Texts without a vector in a space."""
    space, _ = _space(connection, name)
    found = []
    for (text,) in connection.execute(f"SELECT id {LACKING} ORDER BY id LIMIT ?", (space, most)).fetchall():
        sql = f"SELECT {COLUMNS} FROM chunks JOIN labels ON labels.id = chunks.label WHERE chunks.text = ? LIMIT 1"
        found.append(chunk_of(connection.execute(sql, (text,)).fetchone()).embedded)
    return found


def put(connection: sqlite3.Connection, name: str, vectors: Mapping[str, Vectors]) -> int:
    """Put the vectors of texts that are held; how many were new."""
    space, width = _space(connection, name)
    rows = []
    for text, vector in vectors.items():
        held = connection.execute("SELECT id FROM texts WHERE hash = ?", (sha256(text),)).fetchone()
        if held:
            rows.append((space, held[0], _packed(vector, width)))
    return connection.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)", rows).rowcount if rows else 0


def switch(connection: sqlite3.Connection, name: str) -> None:
    """Search a space, and drop every other."""
    space, _ = _space(connection, name)
    lacking = connection.execute(f"SELECT count(*) {LACKING}", (space,)).fetchone()[0]
    if lacking:
        raise UserError(f"{lacking:,} texts have no vector of '{name}' yet", "embed what is missing, then switch")
    connection.execute("DELETE FROM vectors WHERE space != ?", (space,))
    connection.execute("DELETE FROM spaces WHERE id != ?", (space,))
    _search(connection, space)


def _search(connection: sqlite3.Connection, space: int) -> None:
    connection.execute("UPDATE settings SET value = ? WHERE name = 'space'", (space,))
    connection.execute("UPDATE settings SET value = value + 1 WHERE name = 'generation'")


def fill(connection: sqlite3.Connection, vectors: Mapping[int, Any], texts: set[int], model: str) -> None:
    """Put the vectors of a batch, by the id of their text, into the space that is searched, and see that it is whole.

    Where there is none, and there are vectors, one is opened in the name of `model`.
    """
    space = connection.execute("SELECT value FROM settings WHERE name = 'space'").fetchone()[0]
    opened = not space
    if opened and not vectors:
        return
    if opened:
        name, width = model or "unnamed", len(next(iter(vectors.values())))
        begin(connection, name, width)
        space, _ = _space(connection, name)
        _search(connection, space)
    held, width = connection.execute("SELECT fingerprint, width FROM spaces WHERE id = ?", (space,)).fetchone()
    if vectors and model and model != held:
        raise UserError(f"the store holds vectors of '{held}', these are of '{model}'", "fill a space of it and switch")
    rows = [(space, text, _packed(vector, width)) for text, vector in vectors.items()]
    connection.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)", rows)
    lacking = sum(
        connection.execute("SELECT 1 FROM vectors WHERE space = ? AND text = ?", (space, text)).fetchone() is None
        for text in texts
    )
    if not lacking and opened:  # documents that came before there were vectors
        lacking = connection.execute(f"SELECT count(*) {LACKING}", (space,)).fetchone()[0]
    if lacking:
        raise UserError(f"{lacking:,} texts have no vector", "give a vector for every piece that the store has none of")


def _packed(vector: Any, width: int) -> bytes:
    """A vector as it lies in the file."""
    if np.shape(vector) != (width,):
        raise UserError(
            f"a vector has the shape {np.shape(vector)}, the store's have ({width},)", "take one model for all"
        )
    unit(vector)
    return np.asarray(vector, dtype="<f4").tobytes()
