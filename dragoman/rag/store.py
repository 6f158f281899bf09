"""Documents in one SQLite file: pieces, words, vectors, and the manifest of it all in the same transaction."""

import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dragoman.core.documents import Batch, Caps, Chunk, Filter, Hit, Query, Receipt, Verified
from dragoman.core.errors import Busy, UserError
from dragoman.rag import spaces
from dragoman.rag.dense import EXACT_UP_TO, highest
from dragoman.rag.filters import check, holds, only_sources
from dragoman.rag.fitting import check_batch, check_query, searched
from dragoman.rag.schema import COLUMNS, WAIT, chunk_of, chunk_row, opened, row_hash, sha256, vector_of
from dragoman.rag.verify import verified
from dragoman.rag.view import View
from dragoman.rag.words import Words, guess

__all__ = ["SqliteStore"]

Vectors = NDArray[np.float32]
T = TypeVar("T")
FROM = "FROM chunks JOIN labels ON labels.id = chunks.label"


class SqliteStore:
    """A store in one file. It may be used by several threads, and the file by several processes.

    `model` names what the vectors come from, for a file that has no space of vectors yet; `language` is that of all
    documents, and is guessed for each source where it is empty and the source's metadata has no `language`.
    """

    def __init__(
        self,
        path: str | Path,
        model: str = "",
        language: str = "",
        exact_up_to: int = EXACT_UP_TO,
        wait: float = WAIT,
        sealed: bool = False,
    ) -> None:
        """Open the file, made where it is not there. Raises UserError where it is something else, and Busy where
        another process writes for longer than `wait` seconds. A `sealed` file is never written again."""
        self.path = Path(path)
        self.model = model
        self.language = language
        self._connection = opened(self.path, wait, sealed)
        self._lock = threading.RLock()
        self._view = View(exact_up_to)
        self._words = Words()
        self._terms: dict[str, int] = {}  # those looked up; a transaction that is undone takes its own with it

    @property
    def caps(self) -> Caps:
        """What it can do: all, and approximately past a number of vectors."""
        return Caps(ann=True)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[sqlite3.Connection]:
        """One transaction: read at one instant (`DEFERRED`), or write whole or not at all (`IMMEDIATE`)."""
        with self._lock:
            try:
                self._connection.execute(f"BEGIN {kind}")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException as error:
                self._terms.clear()
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                    raise Busy(f"{self.path} is being written by another process", "wait until it is done") from error
                if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
                    raise UserError(f"the disk of {self.path} is full", "free some space; nothing was lost") from error
                raise

    def apply(self, batch: Batch) -> Receipt:
        """Put one version of a source in the place of any other, or remove it; the same version again changes nothing.

        Vectors may be left out where `vectors_of` has all of them already, or where there are none at all. Raises
        UserError where they do not fit.
        """
        check_batch(batch)
        with self._transaction("IMMEDIATE") as connection:
            held = connection.execute("SELECT version FROM sources WHERE source = ?", (batch.source,)).fetchone()
            if held and held[0] == batch.version:
                return Receipt(batch.source, unchanged=True)
            if not held and not batch.version:
                return Receipt(batch.source, unchanged=True)
            sql = "SELECT DISTINCT text, label FROM chunks WHERE source = ?"
            left = connection.execute(sql, (batch.source,)).fetchall()
            removed = connection.execute("DELETE FROM chunks WHERE source = ?", (batch.source,)).rowcount
            connection.execute("DELETE FROM sources WHERE source = ?", (batch.source,))
            if batch.version:
                self._insert(connection, batch)
            _sweep(connection, left)
            connection.execute("UPDATE settings SET value = value + 1 WHERE name = 'generation'")
        return Receipt(batch.source, len(batch.chunks) if batch.version else 0, removed)

    def _insert(self, connection: sqlite3.Connection, batch: Batch) -> None:
        found = searched(batch)
        given = batch.meta.get("language", self.language) or guess(" ".join(chunk.text for chunk in found))
        language = str(given)
        texts = {sha256(chunk.embedded): chunk.embedded for chunk in found}
        ids = {key: self._text(connection, key, text, language) for key, text in texts.items()}
        if found:
            vectors = {} if batch.vectors is None else dict(zip(map(_key, found), batch.vectors, strict=True))
            spaces.fill(
                connection, {ids[key]: vector for key, vector in vectors.items()}, set(ids.values()), self.model
            )
        hashes = []
        for chunk in batch.chunks:
            row = chunk_row(chunk)
            hashes.append(row_hash(row))
            text = None if chunk.is_parent else ids[_key(chunk)]
            label = _label(connection, chunk.source, row[-2], row[-1])
            connection.execute(
                "INSERT INTO chunks (source, number, first, past, body, path, page, parent, is_parent, label, text, "
                "hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*row[:-2], label, text, hashes[-1]),
            )
        whole = sha256("".join(one.hex() for one in hashes))
        words = (json.dumps(batch.problems, ensure_ascii=False), json.dumps(dict(batch.meta), ensure_ascii=False))
        row = (batch.source, batch.version, batch.title, language, *words, len(batch.chunks), whole)
        connection.execute("INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def _text(self, connection: sqlite3.Connection, key: bytes, text: str, language: str) -> int:
        """The id of a text: the one it has, or a new one with its terms."""
        held = connection.execute("SELECT id FROM texts WHERE hash = ?", (key,)).fetchone()
        if held:
            return int(held[0])
        counted = Counter(self._words(text, language))
        terms = np.array([self._term(connection, term) for term in counted], dtype="<i4")
        counts = np.array(list(counted.values()), dtype="<i4")
        sql = "INSERT INTO texts (hash, terms, counts) VALUES (?, ?, ?)"
        return int(connection.execute(sql, (key, terms.tobytes(), counts.tobytes())).lastrowid or 0)

    def _term(self, connection: sqlite3.Connection, term: str) -> int:
        """The id of a term, which is its own for good."""
        if term not in self._terms:
            held = connection.execute("SELECT id FROM terms WHERE term = ?", (term,)).fetchone()
            made = None if held else connection.execute("INSERT INTO terms (term) VALUES (?)", (term,)).lastrowid
            self._terms[term] = int(held[0] if held else made or 0)
        return self._terms[term]

    def search(self, query: Query) -> list[Hit]:
        """The best `k` pieces by vector and the best `k` by words, the best first; each says what it scored in both.

        The score is the cosine where a vector is given, else BM25. Of equals the one that came first stays first.
        """
        check_query(query)
        with self._transaction("DEFERRED") as connection:
            view = self._view
            view.refresh(connection)
            vector = query.vector
            if vector is not None and view.dense is not None and len(vector) != view.dense.width:
                raise UserError(
                    f"the query has {len(vector)} numbers, the store {view.dense.width}",
                    "embed it with the model that embedded the documents",
                )
            mask = view.allowed(connection, query.filter, query.access)
            if not len(view.chunks) or (mask is not None and not mask.any()):
                return []
            lexical = self._by_words(connection, query.text)[view.rows] if query.text else None
            found: list[NDArray[np.intp]] = []
            if lexical is not None:
                matched = lexical > 0 if mask is None else (lexical > 0) & mask
                found.append(highest(np.where(matched, lexical, -np.inf), query.k))
            dense: Mapping[int, float] | None = None
            if vector is not None and view.dense is not None:
                dense, nearest = self._by_vector(np.asarray(vector, dtype=np.float32), query.k, mask, found)
                found.append(nearest)
            rows = list(dict.fromkeys(int(row) for row in np.concatenate(found))) if found else []
            return self._hits(connection, rows, dense, lexical)

    def _by_words(self, connection: sqlite3.Connection, text: str) -> NDArray[np.float32]:
        """The BM25 of every text, of shape [rows]."""
        terms = self._words.any(text, self._view.languages)
        found = {
            term: connection.execute("SELECT id FROM terms WHERE term = ?", (term,)).fetchone() for term in {*terms}
        }
        return self._view.postings.scores([found[term][0] for term in terms if found[term]])

    def _by_vector(
        self, vector: Vectors, k: int, mask: NDArray[np.bool_] | None, found: Sequence[NDArray[np.intp]]
    ) -> tuple[dict[int, float], NDArray[np.intp]]:
        """The cosine of the nearest `k` pieces and of those found otherwise; and the nearest, by place."""
        view = self._view
        assert view.dense is not None
        rows, cosines = view.dense.near(vector, k, view.texts_of(mask))
        scores = np.full(len(view.dense), -np.inf, dtype=np.float32)
        scores[rows] = cosines
        of_pieces = scores[view.rows]
        if mask is not None:
            of_pieces[~mask] = -np.inf
        nearest = highest(of_pieces, k)
        dense = {int(place): float(of_pieces[place]) for place in nearest}
        rest = [int(place) for places in found for place in places if int(place) not in dense]
        if rest:
            dense |= zip(rest, (view.dense.vectors[view.rows[rest]] @ vector).tolist(), strict=True)
        return dense, nearest

    def _hits(
        self,
        connection: sqlite3.Connection,
        places: Sequence[int],
        dense: Mapping[int, float] | None,
        lexical: NDArray[np.float32] | None,
    ) -> list[Hit]:
        hits = []
        for place in places:
            sql = f"SELECT {COLUMNS} {FROM} WHERE chunks.id = ?"
            chunk = chunk_of(connection.execute(sql, (int(self._view.chunks[place]),)).fetchone())
            cosine = None if dense is None else dense[place]
            words = None if lexical is None else float(lexical[place])
            hits.append((place, Hit(chunk, (words or 0.0) if cosine is None else cosine, cosine, words)))
        return [hit for _, hit in sorted(hits, key=lambda pair: (-pair[1].score, pair[0]))]

    def scan(self, wanted: Filter | None = None) -> Iterator[Chunk]:
        """Every piece, parents included, by source and number; what is written meanwhile may be among them."""
        if wanted is not None:
            check(wanted)
        only = only_sources(wanted)
        with self._lock:
            names = sorted(self.sources()) if only is None else sorted(set(only))
        for name in names:
            with self._lock:
                sql = f"SELECT {COLUMNS} {FROM} WHERE chunks.source = ? ORDER BY chunks.number"
                rows = self._connection.execute(sql, (name,)).fetchall()
            for chunk in map(chunk_of, rows):
                if holds(wanted, chunk.source, chunk.meta):
                    yield chunk

    def sources(self) -> dict[str, str]:
        """The version of each source."""
        with self._lock:
            return dict(self._connection.execute("SELECT source, version FROM sources ORDER BY source").fetchall())

    def problems(self) -> dict[str, tuple[str, ...]]:
        """What a person should know of each source that has something."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT source, problems FROM sources WHERE problems != '[]' ORDER BY source"
            )
            return {source: tuple(json.loads(problems)) for source, problems in rows.fetchall()}

    def verify(self) -> Verified:
        """Whether what is held is what the manifest says: every piece, text and vector is looked at."""
        with self._transaction("DEFERRED") as connection:
            return verified(connection)

    # -- spaces of vectors: one is searched, and another may be filled meanwhile -------------------------------------
    def vectors_of(self, texts: Sequence[str]) -> dict[str, Vectors]:
        """The vectors in the searched space that texts have already: those need not be embedded again."""
        found = {}
        with self._transaction("DEFERRED") as connection:
            for text in texts:
                held = connection.execute(spaces.HELD, (sha256(text),)).fetchone()
                if held:
                    found[text] = vector_of(held[0])
        return found

    def space(self) -> str:
        """The fingerprint of what embedded the space that is searched; empty where there is none."""
        return self._spaced("DEFERRED", spaces.active)

    def begin_space(self, fingerprint: str, width: int) -> None:
        """Open a space for the vectors of another model beside the one that is searched; open already, it stays."""
        self._spaced("IMMEDIATE", lambda connection: spaces.begin(connection, fingerprint, width))

    def missing(self, fingerprint: str, most: int = 1000) -> list[str]:
        """Texts that have no vector in a space yet, `most` at the most; none where it is full."""
        return self._spaced("DEFERRED", lambda connection: spaces.missing(connection, fingerprint, most))

    def put_vectors(self, fingerprint: str, vectors: Mapping[str, Vectors]) -> int:
        """Put the vectors of texts into a space; how many were put. A text that is held no more is passed over."""
        return self._spaced("IMMEDIATE", lambda connection: spaces.put(connection, fingerprint, vectors))

    def switch(self, fingerprint: str) -> None:
        """Search a space from now on and drop every other one. Raises UserError where a text has no vector in it."""
        self._spaced("IMMEDIATE", lambda connection: spaces.switch(connection, fingerprint))

    def _spaced(self, kind: str, do: Callable[[sqlite3.Connection], T]) -> T:
        with self._transaction(kind) as connection:
            return do(connection)

    # -- what a person wants to know of the whole --------------------------------------------------------------------
    def note(self, name: str, value: str) -> None:
        """Write down a fact about the store, in the place of what it said before."""
        with self._transaction("IMMEDIATE") as connection:
            connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def noted(self, name: str) -> str:
        """A fact about the store; empty where nothing is noted."""
        with self._lock:
            held = self._connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(held[0]) if held else ""

    # -- prompts, versioned by what they say --------------------------------------------------------------------------
    def keep_prompt(self, name: str, text: str) -> str:
        """Keep a version of a prompt; its hash, which an answer names."""
        key = sha256(text).hex()
        with self._transaction("IMMEDIATE") as connection:
            connection.execute("INSERT OR IGNORE INTO prompts VALUES (?, ?, ?)", (name, key, text))
        return key

    def prompt(self, name: str, key: str) -> str:
        """A version of a prompt. Raises UserError where it is not held."""
        with self._lock:
            sql = "SELECT text FROM prompts WHERE name = ? AND hash = ?"
            held = self._connection.execute(sql, (name, key)).fetchone()
        if held is None:
            raise UserError(f"the store holds no prompt '{name}' {key[:12]}", "take a hash that an answer names")
        return str(held[0])


def _key(chunk: Chunk) -> bytes:
    return sha256(chunk.embedded)


def _label(connection: sqlite3.Connection, *label: Any) -> int:
    sql = "SELECT id FROM labels WHERE source = ? AND meta = ? AND access = ?"
    held = connection.execute(sql, label).fetchone()
    if held is None:
        return int(
            connection.execute("INSERT INTO labels (source, meta, access) VALUES (?, ?, ?)", label).lastrowid or 0
        )
    return int(held[0])


def _sweep(connection: sqlite3.Connection, left: Sequence[tuple[int | None, int]]) -> None:
    """Drop the texts and labels of pieces that are gone, where no other piece has them."""
    for text in {text for text, _ in left if text is not None}:
        if not connection.execute("SELECT 1 FROM chunks WHERE text = ?", (text,)).fetchone():
            connection.execute("DELETE FROM vectors WHERE text = ?", (text,))
            connection.execute("DELETE FROM texts WHERE id = ?", (text,))
    for label in {label for _, label in left}:
        if not connection.execute("SELECT 1 FROM chunks WHERE label = ?", (label,)).fetchone():
            connection.execute("DELETE FROM labels WHERE id = ?", (label,))
