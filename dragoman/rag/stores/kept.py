"""A store over a database that keeps rows: what it is asked, and how what it found is scored, is the same for all.

The database finds pieces by vector, with filter and access list; words are found by the list in memory. A search that
something changed under is made again, so that no answer is of two states.
"""

import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dragoman.core.documents import Batch, Caps, Chunk, Filter, Hit, Query, Receipt, Verified
from dragoman.core.errors import Busy, UserError
from dragoman.rag.dense import highest
from dragoman.rag.filters import check, holds, only_sources, visible
from dragoman.rag.fitting import check_batch, check_query, searched
from dragoman.rag.stores.checked import verified
from dragoman.rag.stores.listed import Listed, grouped
from dragoman.rag.stores.rows import Keeper, Made, Record, as_number, key_of, piece_of, whole_hash
from dragoman.rag.words import guess

__all__ = ["WORDS_UP_TO", "KeptStore"]

Vectors = NDArray[np.float32]
Place = tuple[str, int]
WORDS_UP_TO = 200_000
"pieces, past which words are not listed in memory and search is by meaning alone"
TRIES = 20  # of a search that something changed under
PAUSE = 0.02  # seconds before it is made again


class KeptStore:
    """A store in a database. Several threads and processes may ask it; one process at a time should write.

    `model` names what the vectors come from, for a database that has none yet; `language` is that of all documents, and
    is guessed for each source where it is empty and the source's metadata has no `language`.
    """

    def __init__(
        self, keeper: Keeper, model: str = "", language: str = "", words_up_to: int = WORDS_UP_TO, path: str = ""
    ) -> None:
        """`path` is how the store is named, and `words_up_to` a number of pieces, past which words are not searched."""
        self.path = path
        self.model = model
        self.language = language
        self.words_up_to = words_up_to
        self._keeper = keeper
        self._lock = threading.RLock()
        self._listed = Listed()
        self._listed_at: str | None = None
        self._records: dict[str, Record] = {}
        self._made = Made()
        self._generation: str | None = None

    @property
    def caps(self) -> Caps:
        """What it can do; by words up to a number of pieces."""
        with self._lock:
            self._refresh()
            return replace(self._keeper.caps, lexical=self._few())

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            self._keeper.close()

    def apply(self, batch: Batch) -> Receipt:
        """Put one version of a source in the place of any other, or remove it; the same version again changes nothing.

        Vectors may be left out where `vectors_of` has all of them already, or where there are none at all. Raises
        UserError where they do not fit.
        """
        check_batch(batch)
        for meta in (batch.meta, *(chunk.meta for chunk in batch.chunks)):
            for name, value in meta.items():
                if not isinstance(value, bool | str):
                    as_number(name, value)
        with self._lock:
            held = self._keeper.record(batch.source)
            if batch.version == (held.version if held else "") and (batch.version or not held):
                return Receipt(batch.source, unchanged=True)
            removed = held.chunks if held else 0
            if not batch.version:
                self._keeper.drop(batch.source)
                return Receipt(batch.source, 0, removed)
            made, vectors = self._fitted(batch)
            self._keeper.put(self._record(batch, made), batch.chunks, vectors, made)
            return Receipt(batch.source, len(batch.chunks), removed)

    def _fitted(self, batch: Batch) -> tuple[Made, Vectors | None]:
        """What the vectors come from, and one for each piece that is found. Raises UserError where they do not fit."""
        found, made = searched(batch), self._keeper.made()
        if not found:
            return made, None
        if batch.vectors is None:
            if not made.width:
                return made, None
            held = self._keeper.by_key([key_of(chunk.embedded) for chunk in found])
            lacking = sum(key_of(chunk.embedded) not in held for chunk in found)
            if lacking:
                hint = "give a vector for every piece that the store has none of"
                raise UserError(f"{lacking:,} texts have no vector", hint)
            return made, np.stack([held[key_of(chunk.embedded)] for chunk in found])
        width = batch.vectors.shape[1]
        if made.width and width != made.width:
            raise UserError(f"a vector has {width} numbers, the store's have {made.width}", "take one model for all")
        if made.width and self.model and self.model != made.model:
            hint = "take the model that embedded them, or put the documents into another store"
            raise UserError(f"the store holds vectors of '{made.model}', these are of '{self.model}'", hint)
        if not made.width and any(record.chunks for record in self._keeper.records().values()):
            raise UserError("documents in the store have no vectors", "put all of them into another store")
        return (made if made.width else Made(self.model or "unnamed", width)), batch.vectors

    def _record(self, batch: Batch, made: Made) -> Record:
        given = batch.meta.get("language", self.language) or guess(" ".join(one.text for one in searched(batch)))
        pieces = [piece_of(chunk) for chunk in sorted(batch.chunks, key=lambda chunk: chunk.number)]
        return Record(
            batch.source, batch.version, uuid.uuid4().hex, time.time_ns(), len(pieces), whole_hash(pieces), batch.title,
            str(given), made.model, batch.problems, batch.meta,
        )  # fmt: skip

    def search(self, query: Query) -> list[Hit]:
        """The best `k` pieces by vector and the best `k` by words, the best first; each says what it scored in both.

        The score is the cosine where a vector is given, else BM25. Raises Busy where the store changes all the time,
        and UserError where words alone are given and there are too many pieces to list the words of.
        """
        check_query(query)
        with self._lock:
            for _ in range(TRIES):
                generation = self._refresh()
                hits = self._found(query)
                if self._keeper.generation() == generation:
                    return hits
                time.sleep(PAUSE)
        raise Busy("the store changes faster than it can be searched", "wait until what writes to it is done")

    def _refresh(self) -> str:
        """Read the manifest where it has changed; the state it is of."""
        generation = self._keeper.generation()
        if generation != self._generation:
            self._made, self._records = self._keeper.made(), self._keeper.records()
            self._generation = generation
        return generation

    def _few(self) -> bool:
        return sum(record.chunks for record in self._records.values()) <= self.words_up_to

    def _found(self, query: Query) -> list[Hit]:
        vector = query.vector
        if vector is not None and self._made.width and len(vector) != self._made.width:
            raise UserError(
                f"the query has {len(vector)} numbers, the store {self._made.width}",
                "embed it with the model that embedded the documents",
            )
        lexical, by_words = self._by_words(query) if query.text else (None, [])
        dense: dict[Place, float] | None = None
        chunks: dict[Place, Chunk] = {}
        if vector is not None and self._made.width:
            vector = np.asarray(vector, dtype=np.float32)
            dense = {}
            for chunk, cosine in self._keeper.near(vector, query.k, query.filter, query.access):
                place = (chunk.source, chunk.number)
                if self._may(chunk, query):
                    chunks[place], dense[place] = chunk, cosine
        rest = [place for place in by_words if place not in chunks and place[0] in self._records]
        for row in self._keeper.fetch([(self._records[source], number) for source, number in rest]):
            chunk = row.chunk
            if self._may(chunk, query) and (dense is None or row.vector is not None):
                chunks[chunk.source, chunk.number] = chunk
                if dense is not None and row.vector is not None and vector is not None:
                    dense[chunk.source, chunk.number] = float(row.vector @ vector)
        return self._hits(chunks, dense, lexical)

    def _may(self, chunk: Chunk, query: Query) -> bool:
        """Whether a piece may be given: the database was asked for no other, and is not believed."""
        known = chunk.source in self._records and not chunk.is_parent
        return known and visible(chunk.access, query.access) and holds(query.filter, chunk.source, chunk.meta)

    def _by_words(self, query: Query) -> tuple[NDArray[np.float32] | None, list[Place]]:
        """The BM25 of every piece, and the best by it."""
        if not self._few():
            if query.vector is None or not self._made.width:
                hint = "give an embedder when the index is made: embedder=builtin:minilm"
                raise UserError(f"words are not searched past {self.words_up_to:,} pieces", hint)
            return None, []
        if self._listed_at != self._generation:
            self._listed.refresh(self._keeper, self._records)
            self._listed_at = self._generation
        if not self._listed.places:
            return None, []
        scores = self._listed.scores(query.text)
        matched = np.where((scores > 0) & self._listed.allowed(query.filter, query.access), scores, -np.inf)
        return scores, [self._listed.places[row] for row in highest(matched, query.k)]

    def _hits(
        self, chunks: dict[Place, Chunk], dense: dict[Place, float] | None, lexical: NDArray[np.float32] | None
    ) -> list[Hit]:
        """The hits, the best first; of equals the one that was put first."""
        hits = []
        for place, chunk in chunks.items():
            at = None if lexical is None else self._listed.at(*place)
            words = None if lexical is None else float(lexical[at]) if at is not None else 0.0
            cosine = None if dense is None else dense[place]
            hit = Hit(chunk, (words or 0.0) if cosine is None else cosine, cosine, words)
            hits.append(((-hit.score, self._records[chunk.source].order, place), hit))
        return [hit for _, hit in sorted(hits, key=lambda pair: pair[0])]

    def scan(self, wanted: Filter | None = None) -> Iterator[Chunk]:
        """Every piece, parents included, by source and number; what is written meanwhile may be among them."""
        if wanted is not None:
            check(wanted)
        only = only_sources(wanted)
        with self._lock:
            if only is None:
                found = self._keeper.records()
            else:
                held = {name: self._keeper.record(name) for name in {*only}}
                found = {name: record for name, record in held.items() if record is not None}
        for group in grouped([found[name] for name in sorted(found)]):
            with self._lock:
                rows = self._keeper.rows([record.source for record in group])
            for chunk in sorted((row.chunk for row in rows), key=lambda chunk: (chunk.source, chunk.number)):
                if holds(wanted, chunk.source, chunk.meta):
                    yield chunk

    def sources(self) -> dict[str, str]:
        """The version of each source; empty for one that was found wrong, and is to be put in again."""
        with self._lock:
            records = self._keeper.records()
        return {source: records[source].version for source in sorted(records)}

    def problems(self) -> dict[str, tuple[str, ...]]:
        """What a person should know of each source that has something."""
        with self._lock:
            records = self._keeper.records()
        return {source: records[source].problems for source in sorted(records) if records[source].problems}

    def verify(self) -> Verified:
        """Whether what is held is what the manifest says: every piece and vector is read. What it says falsely is taken
        out of it, so that the source is put in again."""
        with self._lock:
            return verified(self._keeper)

    def vectors_of(self, texts: Sequence[str]) -> dict[str, Vectors]:
        """The vectors that texts have already: those need not be embedded again."""
        keys = {key_of(text): text for text in texts}
        with self._lock:
            found = self._keeper.by_key(list(keys)) if keys else {}
        return {keys[key]: vector for key, vector in found.items()}

    def space(self) -> str:
        """The fingerprint of what embedded the documents; empty where nothing did."""
        with self._lock:
            return self._keeper.made().model

    def note(self, name: str, value: str) -> None:
        """Write down a fact about the store, in the place of what it said before."""
        with self._lock:
            self._keeper.note(name, value)

    def noted(self, name: str) -> str:
        """A fact about the store; empty where nothing is noted."""
        with self._lock:
            return self._keeper.noted(name)
