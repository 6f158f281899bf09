"""The confusion matrix: which labels are taken for which."""

from dragoman.report.matrix import MOST, Confusion, errors, fold, heat_map
from dragoman.report.record import Table, count, table, words

__all__ = ["view"]


def view(record: Table) -> dict[str, object] | None:
    """The heat map; None where the counts are missing or do not fit the labels."""
    found = table(record.get("confusion"))
    labels, counts = found.get("labels"), found.get("counts")
    if not isinstance(labels, list | tuple) or not isinstance(counts, list | tuple) or not labels:
        return None
    if len(counts) != len(labels) or any(
        not isinstance(row, list | tuple) or len(row) != len(labels) for row in counts
    ):
        return None
    whole = tuple(tuple(max(count(cell) or 0, 0) for cell in row) for row in counts)
    shown = fold(Confusion(tuple(words(label) or "(empty)" for label in labels), whole))
    return {
        "charts": [heat_map(shown, size) for size in ("wide", "narrow")],
        "errors": errors(shown),
        "labels": len(labels),
        "folded": shown.folded,
        "most": MOST,
    }
