"""Reads the columns of CoNLL files: one word a line with its tag in the last column, a blank line behind a sentence."""

import re
from collections.abc import Iterator
from typing import BinaryIO

from dragoman.data.lines import LINE_LIMIT, lines
from dragoman.data.problems import Place, Problem, Row

__all__ = ["conll_rows", "is_conll"]

DOCUMENT = "-DOCSTART-"
TAG = re.compile(r"O|[BIESLUM]-\S+")
BLANKS = re.compile(r"[ \t]+")
ENOUGH = 3  # lines with a tag that tell such a file from a text


def is_conll(head: bytes) -> bool:
    """Whether every whole line of the beginning of a file ends with a tag such as O or B-person."""
    whole = head.decode("utf-8-sig", errors="ignore").splitlines()
    held = [line for line in (whole[:-1] if len(whole) > ENOUGH else whole) if line.strip()]
    held = [line for line in held if not _passed_over(line)]
    return len(held) >= ENOUGH and all(len(cells := _cells(line)) > 1 and TAG.fullmatch(cells[-1]) for line in held)


def _cells(line: str) -> list[str]:
    """The cells of a line, between tabs where it has any, else between blanks."""
    return line.split("\t") if "\t" in line else BLANKS.split(line.strip())


def _passed_over(line: str) -> bool:
    """Whether a line begins a document or is a comment; "# O" is the word # with its tag."""
    return line.startswith(DOCUMENT) or (line.startswith("# ") and not TAG.fullmatch(_cells(line)[-1]))


def conll_rows(stream: BinaryIO, name: str, max_line: int = LINE_LIMIT) -> Iterator[Row | Problem]:
    """One row a sentence, at its first line: `tokens` from the first column, `tags` from the last one.

    Lines that begin with -DOCSTART- or "# " are passed over. A sentence with a word that has no tag is refused.
    """
    words: list[str] = []
    tags: list[str] = []
    first, seen = 0, False
    wrong: Problem | None = None
    for line in lines(stream, name, max_line):
        if isinstance(line, Problem):
            seen = True
            yield line
            continue
        blank = not line.text.strip()
        if blank or _passed_over(line.text):
            if words or wrong:
                yield wrong or Row(Place(name, first), {"tokens": words, "tags": tags})
                seen = True
            words, tags, wrong = [], [], None
            continue
        cells = _cells(line.text)
        if not words:
            first = line.number
        if len(cells) < 2 or not cells[-1].strip():
            reason = f"the word {cells[0]!r:.40} has no tag; one tag a word is meant"
            wrong = wrong or Problem("tag-count", Place(name, line.number), reason)
        words.append(cells[0])
        tags.append(cells[-1].strip())
    if words or wrong:
        yield wrong or Row(Place(name, first), {"tokens": words, "tags": tags})
    elif not seen:
        yield Problem("empty-file", Place(name), "the file holds no word: 0 rows", "data.source=PATH")
