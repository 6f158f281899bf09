"""Two sources that say the same sentence with another number: found by rules that would rather miss one than invent
one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dragoman.app.passages import Passage
from dragoman.app.quoting import Quotation
from dragoman.app.wording import Word, content, denies, listed, same_word, words
from dragoman.core.sentences import Span, split_sentences

__all__ = ["Contradiction", "contradictions"]

FEWEST = 2  # content words, numbers aside, that two sentences must share to be one statement
ONCE = frozenset(
    listed(
        "born died founded established built opened completed discovered invented created signed published "
        "released launched introduced began started ended closed married elected killed destroyed ratified "
        "abolished formed"
    )
)
"""What happens once: another year of it is another claim, where another year of "it grew" is another event."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two sentences of different sources that differ in one number, and what each says there."""

    first: Quotation
    second: Quotation
    values: tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Said:
    place: Quotation
    source: str
    words: tuple[Word, ...]
    numbers: tuple[Word, ...]
    frame: frozenset[str]


def contradictions(
    passages: Sequence[Passage], split: Callable[[str], Sequence[Span]] = split_sentences
) -> list[Contradiction]:
    """Each pair of sentences of different sources that say the same but for one number, in the order of passages.

    The same: every content word of either, numbers aside, is in the other, in the same order, and neither denies what
    the other says. A sentence with two numbers that differ tells of two things. A year counts only beside a verb of
    what happens once, and not where it opens the sentence.
    """
    said = [one for passage in passages for one in _sentences(passage, split)]
    found = []
    for place, one in enumerate(said):
        for other in said[place + 1 :]:
            values = _differ(one, other) if one.source != other.source else None
            if values:
                found.append(Contradiction(one.place, other.place, values))
    return found


def _sentences(passage: Passage, split: Callable[[str], Sequence[Span]]) -> list[_Said]:
    found = []
    for start, end in split(passage.chunk.text):
        text = passage.chunk.text[start:end]
        own = tuple(words(text))
        counted = tuple(word for word in own if word.number and word.plain != "1")
        frame = frozenset(word.plain for word in content(own) if word not in counted)
        if counted and len(frame) >= FEWEST:
            where = Quotation(passage.number, start, end, text, passage.score)
            found.append(_Said(where, passage.chunk.source, own, counted, frame))
    return found


def _differ(one: _Said, other: _Said) -> tuple[str, str] | None:
    if len(one.numbers) != len(other.numbers) or denies(one.words) != denies(other.words):
        return None
    if abs(len(one.frame) - len(other.frame)) > 1:
        return None
    pairs = [
        (mine, theirs) for mine, theirs in zip(one.numbers, other.numbers, strict=True) if mine.plain != theirs.plain
    ]
    if len(pairs) != 1 or not _same_order(one, other):
        return None
    mine, theirs = pairs[0]
    said, opposed = one.place.text[mine.start : mine.end], other.place.text[theirs.start : theirs.end]
    if _year(said) != _year(opposed):
        return None
    if _year(said) and (one.words[1:2] == (mine,) or not one.frame & ONCE):
        return None
    return said, opposed


def _same_order(one: _Said, other: _Said) -> bool:
    mine = [word.plain for word in content(one.words) if word not in one.numbers]
    theirs = [word.plain for word in content(other.words) if word not in other.numbers]
    return len(mine) == len(theirs) and all(same_word(*pair) for pair in zip(mine, theirs, strict=True))


def _year(written: str) -> bool:
    return written.isdecimal() and len(written) == 4 and written[0] in "12"
