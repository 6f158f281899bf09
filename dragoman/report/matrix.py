"""The confusion matrix as a heat map: a row is what was expected, a column what was answered."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dragoman.report.numbers import quality, whole
from dragoman.report.svg import Drawing
from dragoman.report.text import advance, fitted

__all__ = ["MOST", "Confusion", "fold", "heat_map"]

MOST = 25
_FONT = 12.5
# Text stands on the cells, so the colour stays below the strength at which the ink is hard to read.
_FAINTEST, _STRONGEST = 0.08, 0.7


@dataclass(frozen=True, slots=True)
class Confusion:
    """The labels and the counts, of shape [expected, answered]; `folded` labels were put together in the last one."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    folded: int = 0


def fold(confusion: Confusion, most: int = MOST) -> Confusion:
    """At most `most` labels: those with the most errors stay, in their order, the others become one."""
    size = len(confusion.labels)
    if size <= most:
        return confusion
    counts = confusion.counts

    def errors(label: int) -> int:
        return sum(counts[label]) + sum(row[label] for row in counts) - 2 * counts[label][label]

    kept = sorted(sorted(range(size), key=lambda label: (-errors(label), label))[: most - 1])
    rest = [label for label in range(size) if label not in set(kept)]
    groups = [[label] for label in kept] + [rest]
    folded = tuple(tuple(sum(counts[row][column] for row in down for column in across) for across in groups) for down in groups)
    names = (*(confusion.labels[label] for label in kept), f"{len(rest)} other labels")
    return Confusion(names, folded, len(rest))


def _description(confusion: Confusion) -> str:
    total = sum(map(sum, confusion.counts))
    right = sum(row[index] for index, row in enumerate(confusion.counts))
    wrong = [
        (count, confusion.labels[down], confusion.labels[across])
        for down, row in enumerate(confusion.counts)
        for across, count in enumerate(row)
        if count and down != across
    ]
    worst = "; ".join(f"{label} answered as {answer}, {count} times" for count, label, answer in sorted(wrong, reverse=True)[:5])
    return f"{whole(right)} of {whole(total)} rows lie on the diagonal. " + (f"Most frequent errors: {worst}." if worst else "")


def heat_map(confusion: Confusion) -> Markup:
    """The counts, with cells as strong as their share of the row. At least one label is needed."""
    labels, counts = confusion.labels, confusion.counts
    cell = min(max(600.0 / len(labels), 25.0), 92.0)
    longest = max(advance(label, _FONT) for label in labels)
    left = min(longest, 220.0) + 40
    named = longest <= cell - 8
    width, height = left + cell * len(labels) + 52, 44 + cell * len(labels) + 8
    drawing = Drawing("confusion", width, height, "Expected label against answer", _description(confusion), "matrix")
    drawing.text(left, 13, "answered", "axis")
    drawing.text(left - 10, 33, "expected", "axis", "end")
    drawing.text(width, 33, "rows", "axis", "end")
    for down, label in enumerate(labels):
        middle = 44 + cell * down + cell / 2
        column = left + cell * down + cell / 2
        drawing.text(column, 33, label if named else str(down + 1), "tick strong", "middle")
        drawing.text(left - 34 if not named else left - 10, middle + 4, fitted(label, 220, _FONT), "label", "end")
        if not named:
            drawing.text(left - 10, middle + 4, str(down + 1), "tick strong", "end")
        total = sum(counts[down])
        drawing.text(width, middle + 4, whole(total), "tick", "end")
        for across, count in enumerate(counts[down]):
            told = f"expected {label}, answered {labels[across]}: {whole(count)} of {whole(total)} ({quality(100 * count / (total or 1), 1)} %)"
            corner = (left + cell * across, 44 + cell * down)
            drawing.group(told, _cell(corner, cell, count, count / total if total else 0.0, down == across))
    return drawing.markup()


def _cell(corner: tuple[float, float], cell: float, count: int, share: float, right: bool) -> Sequence[str]:
    inner = Drawing("", 0, 0, "", "")
    inner.box((corner[0] + 0.5, corner[1] + 0.5), (cell - 1, cell - 1), "cell")
    if count:
        strength = _FAINTEST + (_STRONGEST - _FAINTEST) * share
        inner.box((corner[0] + 0.5, corner[1] + 0.5), (cell - 1, cell - 1), "heat right" if right else "heat wrong", strength)
        inner.text(corner[0] + cell / 2, corner[1] + cell / 2 + 4, _short(count, cell), "count", "middle")
    return inner.parts


def _short(count: int, cell: float) -> str:
    """The count, or its thousands where it is wider than the cell; the exact one stands in the cell's title."""
    text = whole(count)
    return text if advance(text, _FONT) <= cell else f"{whole(count / 1000)}k"
