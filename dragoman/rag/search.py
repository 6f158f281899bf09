"""Finds the pieces of documents that a question needs: by meaning and by words, fused, varied, and rated again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dragoman.core.documents import Chunk, Filter, Hit, OneOf, Query
from dragoman.core.doors import Embedder, Store
from dragoman.core.errors import UserError
from dragoman.rag.filters import visible
from dragoman.rag.fusion import convex, mmr, rrf

__all__ = ["HoldsVectors", "Looking", "Rate", "Retriever"]

Fusion = Literal["convex", "rrf", "dense", "lexical"]
Rate = Callable[[Sequence[str], Sequence[str]], NDArray[np.float64]]


@runtime_checkable
class HoldsVectors(Protocol):
    """A store that gives back the vectors it was given."""

    def vectors_of(self, texts: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
        """The vectors of those texts that it holds."""
        ...


@dataclass(frozen=True)
class Looking:
    """How pieces are looked for."""

    fusion: Fusion = "convex"
    "`convex` weighs both scores, `rrf` both ranks; `dense` looks by meaning alone, `lexical` by words alone."

    weight: float = 0.7
    "What the cosine counts in `convex`; the rest is the words'."

    rank: int = 10
    "What is added to every rank in `rrf`: the higher, the less the first places count."

    depth: int = 50
    "The least number of pieces that each way of looking brings."

    reread: int = 50
    "How many of the best pieces are rated again, where something rates them."

    variety: float = 0.0
    "What the likeness to pieces already taken counts against a piece (MMR); 0 looks at none."

    parents: bool = False
    "Whether the larger piece around what was found is given in its place."

    filter: Filter | None = None
    "What every piece must be like."


@dataclass(frozen=True)
class Retriever:
    """Finds pieces in a store. A question is embedded once."""

    store: Store
    "Where it looks."

    embedder: Embedder | None = None
    "What embedded the documents; None looks by words alone."

    how: Looking = Looking()
    "How it looks."

    rerank: Rate | None = None
    "How well each text answers the question beside it, of shape [n]; higher is better. None leaves the order."

    def __call__(self, question: str, k: int = 10, access: frozenset[str] = frozenset()) -> list[Hit]:
        """The best `k` pieces that who asks may see, the best first; the same text is given once."""
        how = self.how
        if how.fusion not in ("convex", "rrf", "dense", "lexical"):
            raise UserError(f"there is no fusion '{how.fusion}'", "take convex, rrf, dense or lexical")
        if not question.strip() or k < 1:
            return []
        by_meaning = self.embedder is not None and how.fusion != "lexical"
        if how.fusion == "dense" and not by_meaning:
            raise UserError("nothing embeds the question", "give an embedder, or look by words with lexical")
        vector = self.embedder.embed([question])[0] if self.embedder is not None and by_meaning else None
        text = "" if how.fusion == "dense" else question
        deep = max(how.depth, 3 * k)
        hits = _once(self.store.search(Query(text, vector, deep, how.filter, access)))
        hits = self._fused(hits, by_meaning)
        if self.rerank is not None and hits:
            hits = self._rated(self.rerank, question, hits)
        if how.variety > 0:
            hits = self._varied(hits, k)
        return (self._larger(hits, access) if how.parents else hits)[:k]

    def _fused(self, hits: list[Hit], by_meaning: bool) -> list[Hit]:
        if not by_meaning or self.how.fusion == "dense":
            return hits
        return rrf(hits, self.how.rank) if self.how.fusion == "rrf" else convex(hits, self.how.weight)

    def _rated(self, rate: Rate, question: str, hits: list[Hit]) -> list[Hit]:
        """The first hits in the order in which they are rated; those behind stay behind, with the lowest rating."""
        first, rest = hits[: self.how.reread], hits[self.how.reread :]
        rated = rate([question] * len(first), [hit.chunk.embedded for hit in first])
        scored = zip(first, np.nan_to_num(rated, nan=-np.inf).tolist(), strict=True)
        found = sorted((replace(hit, score=score) for hit, score in scored), key=lambda hit: -hit.score)
        return [*found, *(replace(hit, score=found[-1].score) for hit in rest)] if found else hits

    def _varied(self, hits: list[Hit], k: int) -> list[Hit]:
        """The hits by MMR, their scores brought between 0 and 1 for it and given back as they were."""
        if not isinstance(self.store, HoldsVectors) or not hits:
            return hits
        held = self.store.vectors_of([hit.chunk.embedded for hit in hits])
        if any(hit.chunk.embedded not in held for hit in hits):
            return hits  # looked for by words alone: there is no likeness to tell
        scores = np.array([hit.score for hit in hits])
        low, high = float(scores.min()), float(scores.max())
        evened = [replace(hit, score=(hit.score - low) / ((high - low) or 1.0)) for hit in hits]
        own = {(hit.chunk.source, hit.chunk.number): hit for hit in hits}
        vectors = np.stack([held[hit.chunk.embedded] for hit in hits])
        taken = mmr(evened, vectors, 3 * k if self.how.parents else k, 1 - self.how.variety)
        return [own[hit.chunk.source, hit.chunk.number] for hit in taken]

    def _larger(self, hits: list[Hit], access: frozenset[str]) -> list[Hit]:
        """The hits with the larger piece in place of each; of several in one, the first. It keeps the score."""
        names = tuple(dict.fromkeys(hit.chunk.source for hit in hits if hit.chunk.parent >= 0))
        parents: dict[tuple[str, int], Chunk] = {}
        if names:
            for chunk in self.store.scan(OneOf("source", names)):
                if chunk.is_parent and visible(chunk.access, access):
                    parents[chunk.source, chunk.number] = chunk
        found: dict[tuple[str, int], Hit] = {}
        for hit in hits:
            chunk = parents.get((hit.chunk.source, hit.chunk.parent), hit.chunk)
            found.setdefault((chunk.source, chunk.number), replace(hit, chunk=chunk))
        return list(found.values())


def _once(hits: Sequence[Hit]) -> list[Hit]:
    """The hits without those whose text stands there already."""
    found: dict[str, Hit] = {}
    for hit in hits:
        found.setdefault(hit.chunk.embedded, hit)
    return list(found.values())
