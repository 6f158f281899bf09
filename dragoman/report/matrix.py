"""The confusion matrix as a heat map: a row is what was expected, a column what was answered."""

import math
from dataclasses import dataclass

from markupsafe import Markup

from dragoman.report.numbers import quality, whole
from dragoman.report.svg import Drawing, Sheet
from dragoman.report.text import advance, fitted

__all__ = ["MOST", "Confusion", "errors", "fold", "heat_map"]

MOST = 25
_FONT = 12.5
_WIDTH, _HEAD = 880.0, 44.0
# The room for a label: on a phone it is cut, so that some columns can be seen beside it.
_ROOM = {"wide": 290.0, "narrow": 96.0}
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

    def wrong(label: int) -> int:
        return sum(counts[label]) + sum(row[label] for row in counts) - 2 * counts[label][label]

    kept = sorted(sorted(range(size), key=lambda label: (-wrong(label), label))[: most - 1])
    rest = [label for label in range(size) if label not in set(kept)]
    groups = [[label] for label in kept] + [rest]
    folded = tuple(
        tuple(sum(counts[row][column] for row in down for column in across) for across in groups) for down in groups
    )
    names = (*(confusion.labels[label] for label in kept), f"{len(rest)} other labels")
    return Confusion(names, folded, len(rest))


def errors(confusion: Confusion, most: int = 5) -> list[tuple[int, str, str]]:
    """The most frequent errors: how often, what was expected, what was answered."""
    found = [
        (count, confusion.labels[down], confusion.labels[across])
        for down, row in enumerate(confusion.counts)
        for across, count in enumerate(row)
        if count and down != across
    ]
    return sorted(found, key=lambda error: (-error[0], error[1:]))[:most]


def _description(confusion: Confusion) -> str:
    total = sum(map(sum, confusion.counts))
    right = sum(row[index] for index, row in enumerate(confusion.counts))
    worst = "; ".join(f"{label} answered as {answer}, {count} times" for count, label, answer in errors(confusion))
    told = f"{whole(right)} of {whole(total)} rows lie on the diagonal."
    return f"{told} Most frequent errors: {worst}." if worst else told


def heat_map(confusion: Confusion, size: str = "wide") -> Markup:
    """The counts, with cells as strong as their share of the row. At least one label is needed.

    `size` is wide or narrow. In the wide one each cell tells its figures when it is pointed at.
    """
    labels, room = confusion.labels, _ROOM[size]
    longest = max(advance(label, _FONT) for label in labels)
    left = min(longest, room) + 40
    cell = (
        min(max((_WIDTH - left - 52) / len(labels), 25.0), 92.0)
        if size == "wide"
        else min(max((350 - left - 52) / len(labels), 26.0), 60.0)
    )
    # Columns carry their label where it fits, else its number, which is read more easily than a turned text.
    named = longest <= cell - 8
    width, height = left + cell * len(labels) + 52, _HEAD + cell * len(labels) + 8
    drawing = Drawing()
    drawing.text(left, 13, "answered", "axis")
    drawing.text(left - 10, 33, "expected", "axis", "end")
    drawing.text(width, 33, "rows", "axis", "end")
    for place, label in enumerate(labels):
        drawing.text(left + cell * (place + 0.5), 33, label if named else str(place + 1), "tick strong", "middle")
        base = _HEAD + cell * (place + 0.5) + 4
        drawing.text(left - (10 if named else 34), base, fitted(label, room, _FONT), "label", "end")
        if not named:
            drawing.text(left - 10, base, str(place + 1), "tick strong", "end")
        drawing.text(width, base, whole(sum(confusion.counts[place])), "tick", "end")
        _row(drawing, confusion, place, (left, cell), told=size == "wide")
    words = ("Expected label against answer", _description(confusion))
    return drawing.markup(Sheet(f"confusion-{size}", width, height, *words, f"matrix {size}"))


def _row(drawing: Drawing, confusion: Confusion, down: int, place: tuple[float, float], *, told: bool) -> None:
    """The cells of one expected label, each with its counts in words."""
    (left, cell), counts, total = place, confusion.counts[down], sum(confusion.counts[down])
    for across, count in enumerate(counts):
        x, y = left + cell * across + 0.5, _HEAD + cell * down + 0.5
        share = count / total if total else 0.0
        inner = Drawing()
        inner.box((x, y), (cell - 1, cell - 1), "cell")
        if count:
            # The root keeps the few errors of a good model visible beside its diagonal.
            kind = "heat right" if down == across else "heat wrong"
            inner.box((x, y), (cell - 1, cell - 1), kind, _FAINTEST + (_STRONGEST - _FAINTEST) * math.sqrt(share))
            inner.text(x + cell / 2, y + cell / 2 + 4, _short(count, cell), "count", "middle")
        if not told:
            drawing.parts += inner.parts
            continue
        pair = f"expected {confusion.labels[down]}, answered {confusion.labels[across]}"
        drawing.group(f"{pair}: {whole(count)} of {whole(total)} ({quality(100 * share, 1)} %)", inner)


def _short(count: int, cell: float) -> str:
    """The count, or its thousands where it is wider than the cell; the exact one stands in the cell's title."""
    text = whole(count)
    return text if advance(text, _FONT) <= cell else f"{whole(count / 1000)}k"
