"""Puts the lines of a page into the order in which they are read: columns by their gutter, tables by their rows."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

__all__ = ["Line", "in_order"]

DEPTH = 4  # columns within columns; a newspaper has six beside each other at the most
WIDE = 0.45  # of a column that the lines of running text fill in the middle; cells of a table fill less
CROSSING = 0.35  # of the lines that may lie across the gutter: titles, figures, tables over both columns


@dataclass(frozen=True, slots=True)
class Line:
    """A run of text on a page: points from its left and its top edge, `y0` above `y1`."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    size: float = 0.0
    "points of its letters"
    column: int = 0
    "counts up where a column or a band begins"
    cells: int = 1
    "more than 1 where it is a row of a table"

    @property
    def height(self) -> float:
        """Points from its top to its bottom."""
        return self.y1 - self.y0


def in_order(lines: Sequence[Line]) -> list[Line]:
    """The lines in reading order; pieces on one height that are cells of one row are joined by ` | `."""
    ordered: list[Line] = []
    for column, group in enumerate(_split([line for line in lines if line.text.strip()], DEPTH), 1):
        ordered += [replace(line, column=column) for line in _rows(group)]
    return ordered


def _split(lines: list[Line], depth: int) -> list[list[Line]]:
    """Groups of lines, each of one column, in reading order."""
    gutter = _gutter(lines) if depth and len(lines) >= 6 else None
    if gutter is None:
        return [lines] if lines else []
    groups: list[list[Line]] = []
    left: list[Line] = []
    right: list[Line] = []
    across: list[Line] = []
    for line in sorted(lines, key=lambda one: (one.y0 + one.y1, one.x0)):
        if line.x1 <= gutter or line.x0 >= gutter:
            if across:
                groups, across = [*groups, across], []
            (left if line.x1 <= gutter else right).append(line)
            continue
        if left or right:
            groups += [*_split(left, depth - 1), *_split(right, depth - 1)]
            left, right = [], []
        across.append(line)
    return [*groups, *_split(left, depth - 1), *_split(right, depth - 1), *([across] if across else [])]


def _gutter(lines: list[Line]) -> float | None:
    """Where the white between two columns of running text stands; None where there are no two columns."""
    low, high = min(line.x0 for line in lines), max(line.x1 for line in lines)
    width = high - low
    if width <= 0:
        return None
    best: tuple[float, float] | None = None
    starts = sorted({line.x0 for line in lines if low + 0.15 * width < line.x0 < low + 0.85 * width})
    if len(starts) > 200:
        starts = starts[:: len(starts) // 200 + 1]
    for start in starts:
        gutter = start - 0.1
        left = [line for line in lines if line.x1 <= gutter]
        right = [line for line in lines if line.x0 >= gutter]
        crossing = len(lines) - len(left) - len(right)
        if min(len(left), len(right)) < 3 or crossing > CROSSING * len(lines):
            continue
        if not (_is_running(left) and _is_running(right)):
            continue
        score = min(len(left), len(right)) - 2.0 * crossing
        if best is None or score > best[0]:
            best = (score, gutter)
    return best[1] if best else None


def _is_running(lines: list[Line]) -> bool:
    """Whether these are lines of text that fill a column, not cells or labels: judged by their widths."""
    low, high = min(line.x0 for line in lines), max(line.x1 for line in lines)
    letters = median(len(line.text) for line in lines)
    return median(line.x1 - line.x0 for line in lines) >= WIDE * (high - low) and letters >= 14


def _rows(lines: list[Line]) -> list[Line]:
    """Lines from the top down; pieces that stand on one height become one line."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda one: (one.y0 + one.y1, one.x0)):
        middle = (line.y0 + line.y1) / 2
        if rows and rows[-1][0].y0 <= middle <= rows[-1][0].y1 and _apart(rows[-1], line):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [_joined(sorted(row, key=lambda one: one.x0)) for row in rows]


def _apart(row: list[Line], line: Line) -> bool:
    """Whether a piece overlaps none of a row from side to side."""
    return all(line.x0 >= one.x1 - 1 or line.x1 <= one.x0 + 1 for one in row)


def _joined(row: list[Line]) -> Line:
    text, cells = row[0].text, 1
    for before, line in itertools.pairwise(row):
        far = line.x0 - before.x1 > 1.5 * max(1.0, min(before.size or before.height, line.size or line.height))
        text += (" | " if far else " ") + line.text
        cells += far
    return Line(
        text,
        row[0].x0,
        min(line.y0 for line in row),
        max(line.x1 for line in row),
        max(line.y1 for line in row),
        max(row, key=lambda line: len(line.text)).size,
        0,
        cells,
    )
