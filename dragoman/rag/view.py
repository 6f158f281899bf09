"""What a store searches, as arrays in memory, brought up to what its file holds before each search.

Rows are distinct texts; several pieces may share one. A change in the file costs what changed: texts that are new are
read and added, texts that are gone are marked dead, and past a share of dead ones all is read anew.
"""

import json
import sqlite3
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from dragoman.core.documents import Filter
from dragoman.rag.dense import EXACT_UP_TO, Dense
from dragoman.rag.filters import holds, visible
from dragoman.rag.postings import Postings
from dragoman.rag.schema import vector_of

__all__ = ["View"]

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]
DEAD = 0.2  # of the rows: past it the arrays are built anew
MASKS = 64  # answers to filters that are remembered


class View:
    """The searched part of a store's file at one generation."""

    def __init__(self, exact_up_to: int = EXACT_UP_TO) -> None:
        self.exact_up_to = exact_up_to
        self.generation = -1
        self.space = 0
        self.languages: tuple[str, ...] = ("en",)
        self.chunks: Ints = np.zeros(0, dtype=np.int64)
        "the id of each piece, in the order they came"
        self.rows: Ints = np.zeros(0, dtype=np.int64)
        "the row of the text of each piece"
        self._label: Ints = np.zeros(0, dtype=np.int64)
        self._clear()

    def _clear(self) -> None:
        self.dense: Dense | None = None
        self.postings = Postings()
        self._texts: Ints = np.zeros(0, dtype=np.int64)  # the id of the text of each row, ascending
        self._alive: Mask = np.zeros(0, dtype=np.bool_)
        self._masks: OrderedDict[tuple[str, frozenset[str]], Mask | None] = OrderedDict()

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Bring it up to the file; to be called inside a transaction, so that what it reads is of one instant."""
        settings = dict(connection.execute("SELECT name, value FROM settings"))
        if settings["generation"] == self.generation:
            return
        if settings["space"] != self.space:
            self._clear()
        self.space = settings["space"]
        found = connection.execute("SELECT DISTINCT language FROM sources ORDER BY language").fetchall()
        self.languages = tuple(row[0] for row in found) or ("en",)
        ids = _column(connection, "SELECT id FROM texts ORDER BY id")
        gone = self._alive & ~np.isin(self._texts, ids, assume_unique=True)
        if gone.any():
            self._alive &= ~gone
            self.postings.remove(np.flatnonzero(gone).tolist())
        if (~self._alive).sum() > DEAD * len(self._alive):
            self._clear()
        self._read(connection, int(self._texts[-1]) if len(self._texts) else 0)
        pieces = connection.execute("SELECT id, text, label FROM chunks WHERE text IS NOT NULL ORDER BY id").fetchall()
        self.chunks, texts, self._label = np.array(pieces, dtype=np.int64).reshape(-1, 3).T.copy()
        self.rows = np.searchsorted(self._texts, texts)
        self._masks.clear()
        self.generation = settings["generation"]

    def _read(self, connection: sqlite3.Connection, after: int) -> None:
        """Add the texts that came after one."""
        ids, terms, counts = [], [], []
        for number, held, often in connection.execute(
            "SELECT id, terms, counts FROM texts WHERE id > ? ORDER BY id", (after,)
        ):
            ids.append(number)
            terms.append(np.frombuffer(held, dtype="<i4"))
            counts.append(np.frombuffer(often, dtype="<i4"))
        self.postings.add(terms, counts)
        self._texts = np.concatenate([self._texts, np.array(ids, dtype=np.int64)])
        self._alive = np.concatenate([self._alive, np.ones(len(ids), dtype=np.bool_)])
        if self.space:
            if self.dense is None:
                width = connection.execute("SELECT width FROM spaces WHERE id = ?", (self.space,)).fetchone()[0]
                self.dense = Dense(width, self.exact_up_to)
            found = connection.execute(
                "SELECT text, vector FROM vectors WHERE space = ? AND text > ? ORDER BY text", (self.space, after)
            )
            vectors = np.zeros((len(ids), self.dense.width), dtype=np.float32)
            places = {number: row for row, number in enumerate(ids)}
            for text, vector in found:
                vectors[places[text]] = vector_of(vector)
            self.dense.add(vectors)

    def allowed(self, connection: sqlite3.Connection, wanted: Filter | None, groups: frozenset[str]) -> Mask | None:
        """Which pieces may be found, of shape [pieces]; None where all may. What is dead belongs to no piece."""
        key = (repr(wanted), groups)  # as values, a filter for true would equal the one for 1
        if key not in self._masks:
            self._masks[key] = self._mask(connection, wanted, groups)
            if len(self._masks) > MASKS:
                self._masks.popitem(last=False)
        self._masks.move_to_end(key)
        return self._masks[key]

    def _mask(self, connection: sqlite3.Connection, wanted: Filter | None, groups: frozenset[str]) -> Mask | None:
        """Every source, metadata and access list that there is, looked at once, however many pieces share them."""
        sql = "SELECT id, source, meta, access FROM labels" + ("" if wanted else " WHERE access != '[]'")
        size = int(self._label.max()) + 1 if len(self._label) else 1
        passed = np.full(size, wanted is None, dtype=np.bool_)
        for number, source, meta, access in connection.execute(sql):
            if number < size:  # else it is a label of parents alone
                seen = access == "[]" or visible(frozenset(json.loads(access)), groups)
                passed[number] = seen and holds(wanted, source, json.loads(meta) if wanted else {})
        mask: Mask = passed[self._label]
        return None if bool(mask.all()) else mask

    def texts_of(self, mask: Mask | None) -> Mask | None:
        """The rows that a piece of the mask has, of shape [rows]; None where every row is some piece's."""
        if mask is None and bool(self._alive.all()):
            return None
        found = np.zeros(len(self._texts), dtype=np.bool_)
        found[self.rows if mask is None else self.rows[mask]] = True
        return found


def _column(connection: sqlite3.Connection, sql: str) -> Ints:
    return np.fromiter((row[0] for row in connection.execute(sql)), dtype=np.int64)
