"""Whether what is put into a store, and what is asked of it, can be: said before anything is written."""

import json
from typing import Any

import numpy as np

from dragoman.core.documents import Batch, Chunk, Query
from dragoman.core.errors import UserError
from dragoman.rag.filters import check

__all__ = ["check_batch", "check_query", "searched", "unit"]

MOST = 10_000  # pieces of one search
APART = 1e-3  # from length 1: a vector in half precision is within 5e-4


def searched(batch: Batch) -> list[Chunk]:
    """The pieces that are found; the others are parents, which are read."""
    return [chunk for chunk in batch.chunks if not chunk.is_parent]


def unit(vectors: Any) -> None:
    """Raise UserError where a vector is not of length 1; of shape [width] or [n, width]."""
    lengths = np.linalg.norm(np.asarray(vectors, dtype=np.float64), axis=-1)
    if not np.all(np.abs(lengths - 1) < APART):
        worst = lengths.flat[np.argmax(np.nan_to_num(np.abs(lengths - 1), nan=np.inf))]
        raise UserError(f"a vector has length {worst:.4g}", "divide each vector by its length")


def check_batch(batch: Batch) -> None:
    """Raise UserError where the pieces are not those of one source, or the vectors not those of the pieces."""
    name = batch.source
    if not name:
        raise UserError("a source has no name", "name it by its path")
    if not batch.version and (batch.chunks or batch.vectors is not None):
        raise UserError(f"{name} has pieces and no version", "give its version; without one it is removed")
    parents = {chunk.number for chunk in batch.chunks if chunk.is_parent}
    if len({chunk.number for chunk in batch.chunks}) < len(batch.chunks):
        raise UserError(f"two pieces of {name} have one number", "count the pieces of a source")
    for chunk in batch.chunks:
        if chunk.source != name:
            raise UserError(f"a piece of {chunk.source} stands among those of {name}", "apply one source at a time")
        if chunk.parent >= 0 and chunk.parent not in parents:
            raise UserError(f"piece {chunk.number} of {name} stands in {chunk.parent}, which is no parent", "give both")
    try:
        told = [name, batch.version, batch.title, batch.problems, dict(batch.meta)]
        pieces = [[chunk.text, chunk.path, dict(chunk.meta), sorted(chunk.access)] for chunk in batch.chunks]
        json.dumps([told, pieces], ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(f"{name} holds half a character (a lone surrogate)", "read the file as UTF-8") from error
    except (TypeError, ValueError) as error:
        raise UserError(f"{name} has metadata that is no text, number or truth value", "write it as text") from error
    if batch.vectors is not None:
        count = len(searched(batch))
        if batch.vectors.ndim != 2 or len(batch.vectors) != count:
            shape = batch.vectors.shape
            raise UserError(f"{name} has {count} pieces to be found and vectors of shape {shape}", "give one for each")
        unit(batch.vectors)


def check_query(query: Query) -> None:
    """Raise UserError where a query cannot be answered."""
    if not 1 <= query.k <= MOST:
        raise UserError(f"{query.k} pieces were asked for", f"ask for 1 to {MOST:,}")
    if query.vector is not None:
        if query.vector.ndim != 1:
            raise UserError(f"the vector of a query has shape {query.vector.shape}", "give one vector")
        unit(query.vector)
    if query.filter is not None:
        check(query.filter)
