"""Whether a store's file holds what its manifest says: every piece, text and vector is read and its hash made again."""

import sqlite3
from collections.abc import Iterator

import numpy as np

from dragoman.core.documents import Verified
from dragoman.rag.schema import COLUMNS, chunk_of, fingerprint, row_hash, sha256, vector_of

__all__ = ["verified"]

SHOWN = 100  # problems that are told
COUNTS = {
    "SELECT count(*) FROM chunks WHERE source NOT IN (SELECT source FROM sources)": "pieces of no source",
    "SELECT count(*) FROM chunks WHERE label NOT IN (SELECT id FROM labels)": "pieces without metadata",
    "SELECT count(*) FROM chunks WHERE is_parent = (text IS NOT NULL)": "pieces without a text, or parents with one",
    "SELECT count(*) FROM chunks WHERE text NOT IN (SELECT id FROM texts)": "pieces whose text is gone",
    "SELECT count(*) FROM labels WHERE id NOT IN (SELECT label FROM chunks)": "metadata of no piece",
    "SELECT count(*) FROM texts WHERE id NOT IN (SELECT text FROM chunks WHERE text IS NOT NULL)": "texts of no piece",
    "SELECT count(*) FROM vectors WHERE text NOT IN (SELECT id FROM texts)": "vectors of no text",
    "SELECT count(*) FROM vectors WHERE space NOT IN (SELECT id FROM spaces)": "vectors of no space",
    "SELECT count(*) FROM chunks WHERE parent >= 0 AND NOT EXISTS (SELECT 1 FROM chunks AS larger WHERE larger.source "
    "= chunks.source AND larger.number = chunks.parent AND larger.is_parent)": "pieces whose parent is gone",
}


def verified(connection: sqlite3.Connection) -> Verified:
    """Sources, pieces, and every problem there is, a hundred at the most; to be called inside a transaction."""
    problems: list[str] = []
    for found in _problems(connection):
        problems.append(found)
        if len(problems) == SHOWN:
            break
    sources, chunks = (
        connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("sources", "chunks")
    )
    return Verified(sources, chunks, tuple(problems), fingerprint(connection))


def _problems(connection: sqlite3.Connection) -> Iterator[str]:
    for (line,) in connection.execute("PRAGMA integrity_check(10)").fetchall():
        if line != "ok":
            yield f"the file is damaged: {line}"
    for sql, what in COUNTS.items():
        count = connection.execute(sql).fetchone()[0]
        if count:
            yield f"{count:,} {what}"
    yield from _pieces(connection)
    yield from _vectors(connection)


def _pieces(connection: sqlite3.Connection) -> Iterator[str]:
    """Every piece against its hash, the text it names and the manifest of its source."""
    columns = f"{COLUMNS}, chunks.hash, texts.hash"
    tables = "chunks JOIN labels ON labels.id = chunks.label LEFT JOIN texts ON texts.id = chunks.text"
    for name, count, whole in connection.execute("SELECT source, chunks, hash FROM sources ORDER BY source").fetchall():
        sql = f"SELECT {columns} FROM {tables} WHERE chunks.source = ? ORDER BY chunks.id"
        hashes = []
        for *row, own, text in connection.execute(sql, (name,)):
            hashes.append(own)
            if row_hash(tuple(row)) != own:
                yield f"{name}: piece {row[1]} is not what was put there"
            elif text is not None and sha256(chunk_of(tuple(row)).embedded) != text:
                yield f"{name}: piece {row[1]} names the text of another"
        if len(hashes) != count:
            yield f"{name}: {len(hashes)} pieces, and {count} in the manifest"
        elif sha256("".join(one.hex() for one in hashes)) != whole:
            yield f"{name}: its pieces are not those of the manifest"


def _vectors(connection: sqlite3.Connection) -> Iterator[str]:
    """Every vector against the width of its space, and the space that is searched against the texts."""
    space = connection.execute("SELECT value FROM settings WHERE name = 'space'").fetchone()[0]
    if space:
        sql = "SELECT count(*) FROM texts WHERE id NOT IN (SELECT text FROM vectors WHERE space = ?)"
        count = connection.execute(sql, (space,)).fetchone()[0]
        if count:
            yield f"{count:,} texts without a vector"
        if not fingerprint(connection):
            yield "the space of vectors that is searched is gone"
    wrong = 0
    for width, data in connection.execute(
        "SELECT spaces.width, vectors.vector FROM vectors JOIN spaces ON spaces.id = vectors.space"
    ):
        if len(data) != 4 * width or not abs(float(np.linalg.norm(vector_of(data))) - 1) < 2e-3:
            wrong += 1
    if wrong:
        yield f"{wrong:,} vectors that are not of length 1, or not of their space's width"
