"""Whether a database holds what its manifest says: every piece and vector is read, and the manifest made again of them.

The manifest of a database that others can write to is not believed. What it says falsely is mended at once: a source
whose pieces are not those that were put counts as one without a version, so that it is put in again.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from dragoman.core.documents import Verified
from dragoman.core.errors import UserError
from dragoman.rag.stores.rows import Keeper, Made, Record, Row, key_of, whole_hash

__all__ = ["verified"]

SHOWN = 100  # problems that are told
APART = 2e-3  # from length 1: a vector in half precision is within 5e-4


def verified(keeper: Keeper) -> Verified:
    """Sources, pieces, and every problem there is, a hundred at the most."""
    records, counted, made = keeper.records(), keeper.counted(), keeper.made()
    problems: list[str] = []
    for source in sorted(records.keys() | counted.keys()):
        record = records.get(source)
        pieces = keeper.rows([source], vectors=True)
        found = list(islice(_problems(source, record, pieces, made), SHOWN))
        if found:
            _mend(keeper, source, record, pieces)
        problems += found[: SHOWN - len(problems)]
    return Verified(len(records), sum(counted.values()), tuple(problems), made.model)


def _mend(keeper: Keeper, source: str, record: Record | None, rows: list[Row]) -> None:
    """Let the manifest say what lies there, in no version; where nobody may write, the problem is told all the same."""
    held = record or Record(source, "", "", 0, 0, "")
    try:
        keeper.mark(replace(held, version="", chunks=len(rows), hash=whole_hash(_by_number(rows))))
    except UserError:
        return


def _by_number(rows: list[Row]) -> list[str]:
    return [piece for _, piece in sorted((_number(row.piece), row.piece) for row in rows)]


def _number(piece: str) -> int:
    """The number of a piece; -1 where it is none any more."""
    try:
        return Row(piece, "", frozenset()).chunk.number
    except (ValueError, TypeError, AttributeError):
        return -1


def _problems(source: str, record: Record | None, rows: list[Row], made: Made) -> Iterator[str]:
    if record is None:
        yield f"{source}: {len(rows)} pieces that no manifest names"
        return
    if not record.version:
        yield f"{source}: was found wrong before, and not put in again"
        return
    if record.chunks and record.model != made.model:  # an empty one may be older than the first vector
        yield f"{source}: embedded with {record.model or 'nothing'}, the others with {made.model or 'nothing'}"
    if len(rows) != record.chunks:
        yield f"{source}: {len(rows)} pieces, and {record.chunks} in the manifest"
    elif whole_hash(_by_number(rows)) != record.hash:
        yield f"{source}: its pieces are not those of the manifest"
    else:
        for row in rows:
            yield from _of_row(row, made)


def _of_row(row: Row, made: Made) -> Iterator[str]:
    """What is wrong with what a piece, which is whole, is searched by."""
    chunk = row.chunk
    name = f"{chunk.source}: piece {chunk.number}"
    if row.key != ("" if chunk.is_parent else key_of(chunk.embedded)):
        yield f"{name} names the text of another"
    if row.access != chunk.access:
        yield f"{name} is searched by others than those who may see it"
    if chunk.is_parent or not made.width:
        return
    if row.vector is None:
        yield f"{name} has no vector"
    elif row.vector.shape != (made.width,) or not abs(float(np.linalg.norm(row.vector)) - 1) < APART:
        yield f"{name} has a vector that is not of length 1, or not of the store's width"
