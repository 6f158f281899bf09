"""How pieces and filters are written for Qdrant: points with a payload, and conditions on its fields."""

import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dragoman.core.documents import All, Chunk, Either, Equals, Filter, Not, Range
from dragoman.core.errors import UserError
from dragoman.rag.stores.rows import Row, as_number, as_word, column, key_of, piece_of

__all__ = ["FIELDS", "SPACE", "compiled", "fields_of", "id_of", "matches", "one_of", "points_of", "row_of"]

SPACE = "text"
"the name of the vectors"
FIELDS = {"source": "keyword", "token": "keyword", "key": "keyword", "access": "keyword", "open": "bool"}
"the fields that every piece is found by"
KINDS = {"s": "keyword", "n": "float", "b": "bool"}
NEVER = "never"  # a field that no point has
NAMES = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # of URLs (RFC 9562): a point's id is made of its name


def compiled(wanted: Filter) -> Any:
    """A filter that is `plain`, as Qdrant's."""
    from qdrant_client import models

    match wanted:
        case Equals("source", value):
            return matches("source", value)
        case Equals(name, bool(value)):
            return matches(column("b", name), value)
        case Equals(name, str(value)):
            return matches(column("s", name), value)
        case Equals(name, value):
            return models.FieldCondition(key=column("n", name), range=models.Range(gte=float(value), lte=float(value)))
        case Range(name, low, high):
            return models.FieldCondition(key=column("n", name), range=models.Range(gte=low, lte=high))
        case All(parts):
            never = models.Filter(must_not=[matches(NEVER, True)])
            return models.Filter(must=[compiled(part) for part in parts] or [never])
        case Either(parts):
            return models.Filter(should=[compiled(part) for part in parts] or [matches(NEVER, True)])
        case Not(part):
            return models.Filter(must_not=[compiled(part)])
    raise UserError(f"{wanted!r} cannot be asked of Qdrant", "take Equals, OneOf, Range, All, Either or Not")


def matches(field: str, value: Any) -> Any:
    """A field is a value."""
    from qdrant_client import models

    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


def one_of(field: str, values: Sequence[str]) -> Any:
    """A field is one of some texts, or a list that holds one of them."""
    from qdrant_client import models

    return models.FieldCondition(key=field, match=models.MatchAny(any=list(values)))


def id_of(name: str) -> str:
    """The id of the point of this name."""
    return str(uuid.uuid5(NAMES, name))


def points_of(token: str, chunks: Sequence[Chunk], vectors: NDArray[np.float32] | None) -> list[Any]:
    """The pieces of a source as points; parents have no vector."""
    from qdrant_client import models

    rows = iter([] if vectors is None else vectors.tolist())
    points = []
    for chunk in chunks:
        payload: dict[str, Any] = {
            "source": as_word(chunk.source),
            "token": token,
            "piece": piece_of(chunk),
            "key": "" if chunk.is_parent else key_of(chunk.embedded),
            "open": not chunk.access,
            "access": [as_word(group) for group in sorted(chunk.access)],
        }
        for name, value in chunk.meta.items():
            if isinstance(value, bool):
                payload[column("b", name)] = value
            elif isinstance(value, str):
                payload[column("s", name)] = as_word(value)
            elif (number := as_number(name, value)) is not None:
                payload[column("n", name)] = number
        vector = {} if chunk.is_parent or vectors is None else {SPACE: next(rows)}
        points.append(models.PointStruct(id=id_of(f"{token}:{chunk.number}"), vector=vector, payload=payload))
    return points


def row_of(point: Any) -> Row:
    """A piece as it lies there."""
    held = point.vector.get(SPACE) if isinstance(point.vector, dict) else None
    vector = None if held is None else np.array(held, dtype=np.float32)
    payload = point.payload
    return Row(payload["piece"], payload["key"], frozenset(payload["access"]), vector)


def fields_of(points: Sequence[Any]) -> dict[str, str]:
    """The fields of their metadata, and what each holds."""
    names = {name for point in points for name in point.payload}
    return {name: KINDS[name[0]] for name in names if name.startswith(("s_", "n_", "b_", "sx_", "nx_", "bx_"))}
