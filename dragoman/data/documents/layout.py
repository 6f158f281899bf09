"""Puts the lines of a page into the order in which they are read: columns by their gutter, tables by their rows."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

__all__ = ["Line", "in_order"]

DEPTH = 4  # columns within columns; a newspaper has six beside each other at the most
LEAST = 4  # lines of running text on each side of a gutter
NARROW = 0.22  # of the width that the wider lines of a column take; four columns take it just so
FILLED = 0.7  # of the wider lines that a line of running text takes: all but the last of a paragraph
LETTERS = 18  # of a line of running text


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
    """Groups of lines, each of one column or of a band over all columns, in reading order."""
    gutter = _gutter(lines) if depth and len(lines) >= 2 * LEAST else None
    if gutter is None:
        return [lines] if lines else []
    groups: list[list[Line]] = []
    for is_columns, band in _bands(lines, gutter):
        if not is_columns:
            groups.append(band)
            continue
        groups += _split([line for line in band if line.x1 <= gutter], depth - 1)
        groups += _split([line for line in band if line.x0 >= gutter], depth - 1)
    return groups


def _gutter(lines: list[Line]) -> float | None:
    """Where the white between two columns of running text stands; None where there are no two columns."""
    low, width = min(line.x0 for line in lines), _width(lines)
    starts = sorted({round(line.x0, 1) for line in lines if low + 0.15 * width < line.x0 < low + 0.85 * width})
    if len(starts) > 200:
        starts = starts[:: len(starts) // 200 + 1]
    best, best_score = None, 0
    for start in starts:
        gutter = start - 0.2
        left = _running([line for line in lines if line.x1 <= gutter], width)
        right = _running([line for line in lines if line.x0 >= gutter], width)
        flush = sum(abs(line.x0 - start) < 3 for line in right)
        if flush >= LEAST and min(len(left), len(right)) > best_score:
            best, best_score = gutter, min(len(left), len(right))
    return best if best_score >= LEAST else None


def _running(lines: list[Line], width: float) -> list[Line]:
    """The lines that fill a column, of some that lie beside a gutter: no cells, no labels."""
    if len(lines) < LEAST:
        return []
    widths = sorted(line.x1 - line.x0 for line in lines)
    wide = widths[int(0.9 * (len(widths) - 1))]
    if wide < NARROW * width:
        return []
    return [line for line in lines if line.x1 - line.x0 >= FILLED * wide and len(line.text) >= LETTERS]


def _bands(lines: list[Line], gutter: float) -> list[tuple[bool, list[Line]]]:
    """Bands from the top down, and whether each has columns: a line across the gutter ends one that has.

    A row of short pieces between two rows that lie across is one of them: so a wide table stays whole.
    """
    sides = [[line for line in lines if line.x1 <= gutter], [line for line in lines if line.x0 >= gutter]]
    running = {id(line) for side in sides for line in _running(side, _width(lines))}
    bands: list[tuple[bool, list[Line]]] = []
    waiting: list[Line] = []
    for row in _heights(lines):
        if any(line.x0 < gutter < line.x1 for line in row):
            is_columns = False
        elif any(id(line) in running for line in row):
            is_columns = True
        else:
            waiting += row
            continue
        before = bands[-1][0] if bands else is_columns
        if waiting and (before or is_columns):
            _extend(bands, True, waiting)
        elif waiting:
            _extend(bands, False, waiting)
        waiting = []
        _extend(bands, is_columns, row)
    if waiting:
        _extend(bands, not bands or bands[-1][0], waiting)
    return bands


def _width(lines: list[Line]) -> float:
    return max(line.x1 for line in lines) - min(line.x0 for line in lines)


def _extend(bands: list[tuple[bool, list[Line]]], is_columns: bool, lines: list[Line]) -> None:
    if bands and bands[-1][0] == is_columns:
        bands[-1][1].extend(lines)
    else:
        bands.append((is_columns, list(lines)))


def _heights(lines: list[Line]) -> list[list[Line]]:
    """Lines from the top down, those that stand on one height together."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda one: (one.y0 + one.y1, one.x0)):
        if rows and rows[-1][0].y0 <= (line.y0 + line.y1) / 2 <= rows[-1][0].y1:
            rows[-1].append(line)
        else:
            rows.append([line])
    return rows


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
