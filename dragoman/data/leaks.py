"""Finds labels that stand in their own texts: a word that gives the label away is learnt instead of the task."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from dragoman.core.types import Example

__all__ = ["Leak", "leaks"]

WORD = re.compile(r"\w+")
SHARE = 0.95  # of the rows of the label that hold the word
ELSEWHERE = 0.05  # of the other rows may hold the name of the label
ROWS = 10  # under these, a word that all rows share is chance


@dataclass(frozen=True, slots=True)
class Leak:
    """A word that gives a label away: `rows` of its rows hold it, the share `share`; `row` is the first of them."""

    label: str
    word: str
    rows: int
    share: float
    row: int


def leaks(examples: Sequence[Example]) -> list[Leak]:
    """For each label at most one word: its own name, or the word that most of its rows and no other rows hold."""
    holds = [_words(example.text) for example in examples]
    rows_of: dict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        for label in example.answers:
            rows_of[label].append(index)
    everywhere = Counter(word for words in holds for word in words)
    found = []
    for label, rows in sorted(rows_of.items()):
        if ROWS <= len(rows) < len(examples):
            leak = _named(label, rows, holds) or _marked(label, rows, holds, everywhere)
            if leak:
                found.append(leak)
    return found


def _words(text: str) -> set[str]:
    lower = text.casefold()
    return {*lower.split(), *WORD.findall(lower)}


def _named(label: str, rows: list[int], holds: list[set[str]]) -> Leak | None:
    name = set(WORD.findall(label.casefold().replace("_", " ")))
    if not name or label.isdigit():
        return None
    having = [index for index in rows if name <= holds[index]]
    if len(having) <= SHARE * len(rows):
        return None
    mine = set(rows)
    others = sum(name <= words for index, words in enumerate(holds) if index not in mine)
    if others > ELSEWHERE * (len(holds) - len(rows)):
        return None
    return Leak(label, label, len(having), len(having) / len(rows), having[0])


def _marked(label: str, rows: list[int], holds: list[set[str]], everywhere: Counter[str]) -> Leak | None:
    here = Counter(word for index in rows for word in holds[index])
    only = [(count, word) for word, count in here.items() if count > SHARE * len(rows) and everywhere[word] == count]
    if not only:
        return None
    count, word = max(only)
    first = next(index for index in rows if word in holds[index])
    return Leak(label, word, count, count / len(rows), first)
