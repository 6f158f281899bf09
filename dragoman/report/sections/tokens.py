"""What is learnt of real rows, token by token: what is read, what is predicted, where it stops, what is cut away."""

from collections.abc import Sequence

from dragoman.report.numbers import whole
from dragoman.report.record import Table, rows, words

__all__ = ["view"]

KINDS = {
    "read": "read",
    "control": "written by the template",
    "learnt": "learnt",
    "stop": "the stop, learnt too",
    "cut": "cut away",
}
_BEGIN, _END = 160, 320  # tokens of a long row that are shown


def view(record: Table) -> dict[str, object] | None:
    """Each row as its tokens in their kinds; None where there are none, or a row is not what it should be."""
    found = [shown for row in rows(record.get("tokens")) if (shown := _row(row))]
    return {"rows": found, "legend": list(KINDS.items())} if found else None


def _row(row: Table) -> dict[str, object] | None:
    pieces, kinds = _texts(row.get("pieces")), _texts(row.get("kinds"))
    if not pieces or len(pieces) != len(kinds) or not KINDS.keys() >= set(kinds):
        return None
    tokens = [{"text": text.replace("\n", "⏎\n"), "kind": kind} for text, kind in zip(pieces, kinds, strict=True)]
    left = max(len(tokens) - _BEGIN - _END, 0)
    counts = [f"{whole(kinds.count(kind))} {KINDS[kind]}" for kind in KINDS if kind in kinds]
    return {
        "place": words(row.get("place")),
        "counts": ", ".join(counts),
        "begin": tokens[:_BEGIN] if left else tokens,
        "left": f"{whole(left)} tokens" if left else "",
        "end": tokens[-_END:] if left else [],
    }


def _texts(value: object) -> list[str]:
    """The texts of a list; nothing where it is none."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    return [words(item) for item in value]
