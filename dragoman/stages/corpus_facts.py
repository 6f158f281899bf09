"""What became of each source of a corpus: read, changed, dropped and by which filter, masked, found twice, kept."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dragoman.core.errors import UserError
from dragoman.data.doubles import EXACT, GONE, NEAR
from dragoman.data.quality import FILTERS
from dragoman.data.refine import EXAMPLES
from dragoman.stages.shares import Kept

__all__ = ["facts_of_source", "filters_of", "nothing_left"]

_COUNTED = ("dropped", "changed", "masked", "languages")


def facts_of_source(
    source: str,
    parts: Sequence[Mapping[str, Any]],
    problems: Mapping[str, int],
    said: Sequence[str],
    kept: Kept,
    places: range,
) -> dict[str, Any]:
    """The counts of one source; `places` are its parts among all."""
    counted = {name: _sum_of(parts, name) for name in _COUNTED}
    flags = kept.flags[slice(*kept.documents.offsets[[places.start, places.stop]].tolist())]
    doubles = {"exact": int(np.count_nonzero(flags == EXACT)), "near": int(np.count_nonzero(flags == NEAR))}
    found: dict[str, Any] = {
        "source": source,
        "guessed": list(said),
        "problems": dict(sorted(problems.items())),
        "read": {
            name: sum(part[key] for part in parts) for name, key in (("documents", "read"), ("bytes", "read_bytes"))
        },
        **counted,
        "examples": _examples(parts),
        "double_documents": doubles,
    }
    if kept.piece_flags is not None:
        pieces = kept.piece_flags[slice(*kept.pieces.offsets[[places.start, places.stop]].tolist())]
        found["double_paragraphs"] = {
            "exact": int(np.count_nonzero(pieces == EXACT)),
            "near": int(np.count_nonzero(pieces == NEAR)),
            "in_double_documents": int(np.count_nonzero(pieces == GONE)),
        }
        left = sum(int(np.count_nonzero(kept.sizes(place))) for place in places)
        found["emptied_documents"] = int(np.count_nonzero(flags == 0)) - left
    return found


def filters_of(sources: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How many documents each filter took from all sources, with the first it took, in the order of the filters."""
    found = []
    for name in (*FILTERS, "language"):
        count = sum(source["dropped"].get(name, 0) for source in sources)
        examples = [text for source in sources for text in source["examples"].get(name, ())]
        if count:
            found.append({"name": name, "count": count, "examples": examples[:EXAMPLES]})
    for kind in ("exact", "near"):
        count = sum(source["double_documents"][kind] for source in sources)
        if count:
            found.append({"name": f"{kind}-double", "count": count, "examples": []})
    return found


def nothing_left(source: str, parts: Sequence[Mapping[str, Any]], why: str = "") -> UserError:
    """The mistake of a source of which no document is left, with the count of each filter."""
    read = sum(part["read"] for part in parts)
    if not read:
        return UserError(f"{source} holds no text", "give files with text: dragoman corpus SOURCE")
    counts = ", ".join(f"{name} {count:,}" for name, count in sorted(_sum_of(parts, "dropped").items()))
    said = "; ".join(part for part in (why, f"dropped were: {counts}" if counts else "") if part)
    hint = "let them stay with quality.preset=none, or name a larger text: dragoman corpus SOURCE"
    return UserError(f"of {read:,} documents of {source} none is left to learn from: {said}", hint)


def _sum_of(parts: Sequence[Mapping[str, Any]], name: str) -> dict[str, int]:
    whole: Counter[str] = Counter()
    for part in parts:
        whole.update(part[name])
    return dict(sorted(whole.items()))


def _examples(parts: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for part in parts:
        for name, texts in part["examples"].items():
            found[name] = [*found.get(name, []), *texts][:EXAMPLES]
    return dict(sorted(found.items()))
