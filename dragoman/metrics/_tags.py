"""What metrics of tagged words share: the tags an answer gives, and the entities that tags stand for."""

from collections.abc import Sequence

from dragoman.core.types import Answer

__all__ = ["entities", "in_scheme", "tags_of"]

OUTSIDE = "O"
WITHIN = "BIES"


def tags_of(answer: Answer, count: int) -> tuple[str, ...]:
    """One tag a word: the labels of an answer, or the words of its text; what is missing is outside, the rest cut."""
    given = (answer.labels or tuple(answer.text.split()))[:count]
    return given + (OUTSIDE,) * (count - len(given))


def in_scheme(tag: str) -> bool:
    """Whether a tag says where an entity begins or goes on, as B-PER does; a part of speech or a number does not."""
    return tag.partition("-")[0] in tuple(WITHIN)


def entities(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """The entities of a row as (kind, first word, last word), read as the CoNLL script reads them (Tjong Kim Sang).

    A broken row is mended, not refused: I- or E- with nothing of its kind before it begins an entity. B- and S- always
    begin one, E- and S- end it. What is no tag, such as a word a language model made up, is outside.
    """
    found: set[tuple[str, int, int]] = set()
    start, before, kind = -1, OUTSIDE, ""
    for place, tag in enumerate([*tags, OUTSIDE]):
        letter, _, name = tag.partition("-")
        letter = letter if letter in tuple(WITHIN) else OUTSIDE
        name = name or "_"
        goes_on = letter in ("I", "E") and before in ("B", "I") and name == kind
        if not goes_on:
            if start >= 0:
                found.add((kind, start, place - 1))
            start = -1 if letter == OUTSIDE else place
        before, kind = letter, name
    return found
