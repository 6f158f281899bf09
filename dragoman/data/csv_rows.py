"""Reads rows out of CSV and TSV: separator and quoting are found in the file, the header names the columns."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

from dragoman.data.lines import LINE_LIMIT, Line, lines
from dragoman.data.problems import Place, Problem, Row

__all__ = ["csv_rows", "separator", "txt_rows"]

SEPARATORS = ",\t;|"
SAMPLE = 64 * 1024
NAMES = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}


def txt_rows(stream: BinaryIO, name: str, max_line: int = LINE_LIMIT) -> Iterator[Row | Problem]:
    """One row a line, in the column `text`; blank lines are counted."""
    for line in lines(stream, name, max_line):
        if isinstance(line, Problem):
            yield line
        elif line.text.strip():
            yield Row(Place(name, line.number), {"text": line.text})
        else:
            yield Problem("blank-line", Place(name, line.number), "the line is blank", refused=False)


def separator(sample: str) -> str:
    """The separator under which most records of a sample have the same number of cells, more than one.

    `csv.Sniffer` is not used: it takes any frequent letter for a separator. A file of one column gives a comma.
    """
    best, best_score = ",", 0.0
    for mark in SEPARATORS:
        try:
            widths = [len(record) for record in csv.reader(io.StringIO(sample), delimiter=mark) if record]
        except csv.Error:
            continue
        if not widths or widths[0] < 2:
            continue
        score = Counter(widths)[widths[0]] / len(widths) + 0.001 * widths[0]
        if score > best_score:
            best, best_score = mark, score
    return best


def _quoted(sample: str, mark: str) -> bool:
    # GLUE and other tab-separated sets hold bare quotes: there a quote is a letter unless every one wraps a cell.
    if mark != "\t":
        return True
    cells = [cell for line in sample.splitlines() for cell in line.split(mark) if '"' in cell]
    return bool(cells) and all(len(cell) > 1 and cell[0] == '"' == cell[-1] for cell in cells)


class _Feed:
    """Hands the lines of a file to the csv reader, keeps the problems it meets, and knows the line of the record."""

    def __init__(self, source: Iterator[Line | Problem]) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.first = 0
        self.last = 0

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        for line in self.source:
            if isinstance(line, Problem):
                self.problems.append(line)
                continue
            self.first = self.first or line.number
            self.last = line.number
            return line.text + "\n"
        raise StopIteration

    def told(self) -> Iterator[Problem]:
        yield from self.problems
        self.problems.clear()
        self.first = 0


def csv_rows(stream: io.BufferedReader, name: str, max_line: int = LINE_LIMIT) -> Iterator[Row | Problem]:
    """One row a record below the header; a record with more or fewer cells than the header is refused."""
    # The csv module's own limit of 131,072 characters a cell is one for the whole process; max_line bounds it here.
    csv.field_size_limit(max(csv.field_size_limit(), max_line))
    sample = stream.peek(SAMPLE)[:SAMPLE].decode("utf-8-sig", errors="replace")
    whole = sample[: sample.rfind("\n") + 1] or sample
    mark = separator(whole)
    quoted = _quoted(whole, mark)
    yield Problem("separator", Place(name), f"the cells are separated by a {NAMES[mark]}", refused=False)
    feed = _Feed(lines(stream, name, max_line))
    records = csv.reader(feed, delimiter=mark, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, strict=True)
    header: list[str] | None = None
    while True:
        try:
            record = next(records, None)
        except csv.Error as error:
            line = feed.first or feed.last
            yield from feed.told()
            yield Problem(*_broken(str(error), Place(name, line)))
            continue
        line = feed.first or feed.last
        yield from feed.told()
        if record is None:
            return
        if not any(cell.strip() for cell in record):
            yield Problem("blank-line", Place(name, line), "the line is blank", refused=False)
        elif header is None:
            header = [cell.strip() for cell in record]
            bad = _header_problem(header, Place(name, line))
            if bad:
                yield bad
                return
        else:
            yield _row(header, record, Place(name, line))


def _broken(message: str, place: Place) -> tuple[str, Place, str]:
    if "unexpected end" in message:
        return "truncated", place, "a quoted cell begins here and never ends"
    if "field limit" in message:
        return "long-line", place, "a cell that begins here is longer than data.max_line: a quote that is not closed?"
    return "malformed", place, message


def _header_problem(header: list[str], place: Place) -> Problem | None:
    twice = [cell for cell, count in Counter(header).items() if count > 1]
    if twice:
        return Problem("duplicate-key", place, f"the header names the column '{twice[0]}' twice")
    return None


def _row(header: list[str], record: list[str], place: Place) -> Row | Problem:
    if len(record) != len(header):
        reason = f"{len(record)} cells under a header of {len(header)}"
        return Problem("ragged", place, reason)
    return Row(place, dict(zip(header, record, strict=True)))
