"""A store that keeps all in lists and looks at every piece: what any other store has to agree with."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dragoman.core.documents import Batch, Caps, Chunk, Filter, Hit, Query, Receipt, Verified
from dragoman.core.errors import UserError
from dragoman.rag.filters import holds, visible
from dragoman.rag.fitting import check_batch, check_query
from dragoman.rag.words import Words

__all__ = ["MemoryStore"]


class MemoryStore:
    """Everything by brute force, in English."""

    def __init__(self) -> None:
        self.held: dict[str, Batch] = {}
        self.vectors: dict[str, NDArray[np.float32]] = {}
        self.order: list[tuple[str, int]] = []

    @property
    def caps(self) -> Caps:
        """What it can do."""
        return Caps()

    def apply(self, batch: Batch) -> Receipt:
        """Put a source in the place of another."""
        check_batch(batch)
        old = self.held.get(batch.source)
        if (old.version if old else "") == batch.version:
            return Receipt(batch.source, unchanged=True)
        found = [chunk for chunk in batch.chunks if not chunk.is_parent]
        widths = {len(vector) for vector in self.vectors.values()}
        if batch.vectors is not None:
            if found and widths and batch.vectors.shape[1] not in widths:
                raise UserError("another width", "take one model")
            for chunk, vector in zip(found, batch.vectors, strict=True):
                self.vectors.setdefault(chunk.embedded, vector)
        elif widths and any(chunk.embedded not in self.vectors for chunk in found):
            raise UserError("vectors are missing", "give them")
        self.held.pop(batch.source, None)
        self.order = [pair for pair in self.order if pair[0] != batch.source]
        if batch.version:
            self.held[batch.source] = batch
            self.order += [(batch.source, at) for at in range(len(batch.chunks))]
        return Receipt(batch.source, len(batch.chunks), len(old.chunks) if old else 0)

    def search(self, query: Query) -> list[Hit]:
        """Every piece scored, one after the other."""
        check_query(query)
        every = [self.held[source].chunks[at] for source, at in self.order]
        searched = [chunk for chunk in every if not chunk.is_parent]
        seen = [
            row
            for row, chunk in enumerate(searched)
            if visible(chunk.access, query.access) and holds(query.filter, chunk.source, chunk.meta)
        ]
        lexical = {row: self.bm25(query.text, searched)[row] for row in seen} if query.text else None
        dense = None
        if query.vector is not None and self.vectors:
            dense = {row: float(self.vectors[searched[row].embedded] @ query.vector) for row in seen}
        rows: list[int] = []
        if dense is not None:
            rows += sorted(dense, key=lambda row: (-dense[row], row))[: query.k]
        if lexical is not None:
            rows += sorted((row for row in lexical if lexical[row] > 0), key=lambda row: (-lexical[row], row))[
                : query.k
            ]
        hits = []
        for row in sorted(set(rows)):
            cosine, words = dense[row] if dense else None, lexical[row] if lexical else None
            hits.append(Hit(searched[row], (words or 0.0) if cosine is None else cosine, cosine, words))
        return sorted(hits, key=lambda hit: -hit.score)

    def bm25(self, text: str, searched: Sequence[Chunk]) -> list[float]:
        """The score of every piece, of distinct texts counted once."""
        words = Words()
        texts = {chunk.embedded: words(chunk.embedded) for chunk in searched}
        mean = sum(map(len, texts.values())) / max(len(texts), 1)
        scores = dict.fromkeys(texts, 0.0)
        for term in words(text):
            df = sum(term in terms for terms in texts.values())
            idf = math.log(1 + (len(texts) - df + 0.5) / (df + 0.5))
            for one, terms in texts.items():
                tf = terms.count(term)
                scores[one] += idf * tf / (tf + 1.2 * (0.25 + 0.75 * len(terms) / mean)) if tf else 0.0
        return [scores[chunk.embedded] for chunk in searched]

    def scan(self, wanted: Filter | None = None) -> Iterator[Chunk]:
        """Every piece."""
        for source in sorted(self.held):
            for chunk in sorted(self.held[source].chunks, key=lambda chunk: chunk.number):
                if holds(wanted, chunk.source, chunk.meta):
                    yield chunk

    def sources(self) -> dict[str, str]:
        """The versions."""
        return {source: self.held[source].version for source in sorted(self.held)}

    def verify(self) -> Verified:
        """What is held is the manifest."""
        return Verified(len(self.held), sum(len(batch.chunks) for batch in self.held.values()))

    def vectors_of(self, texts: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
        """The vectors of texts."""
        return {text: self.vectors[text] for text in texts if text in self.vectors}

    def close(self) -> None:
        """Nothing to let go of."""
