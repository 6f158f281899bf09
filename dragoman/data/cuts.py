"""Cuts one block that is too large: by lines, definitions, sentences, and in the end between words or characters."""

import re
import unicodedata
from collections.abc import Callable, Iterator

from dragoman.core.documents import Kind
from dragoman.core.sentences import split_sentences

__all__ = ["spans_within"]

Span = tuple[int, int]
_LINE = re.compile(r"[^\n]*\S[^\n]*")
_SPACE = re.compile(r"\s+")
_GOES_ON = re.compile(r"[)\]}{]|(?:else|elif|except|finally|catch|end|then|do|fi|done)\b")
"how a line begins that belongs to the lines above it although it stands as far left"
_BELONGS_BELOW = re.compile(r"@|#(?!include|define|if|end)|//|/\*|\*|template\b|--")
"how a line begins that belongs to what follows: a decorator, a comment"


def spans_within(
    text: str, start: int, end: int, kind: Kind, tokens: int, count: Callable[[str], int]
) -> Iterator[Span]:
    """The block `text[start:end]` where it has at most so many tokens, else its largest parts that do, in order.

    They leave out nothing but white space. One character may have more tokens than are asked for.
    """
    if end - start <= 1 or count(text[start:end]) <= tokens:
        yield start, end
        return
    if kind == "code":
        spans = _definitions(text, start, end)
    elif kind in ("list", "table"):
        spans = _lines(text, start, end)
    else:
        spans = [(start + begin, start + close) for begin, close in split_sentences(text[start:end])]
    if len(spans) < 2 and kind == "code":
        spans = _lines(text, start, end)
        kind = "list"
    if len(spans) < 2:
        yield from _between_words(text, start, end, tokens, count)
        return
    inner: Kind = "code" if kind == "code" else "paragraph"
    for begin, close in spans:
        yield from spans_within(text, begin, close, inner, tokens, count)


def _lines(text: str, start: int, end: int) -> list[Span]:
    return [_stripped(text, *found.span()) for found in _LINE.finditer(text, start, end)]


def _definitions(text: str, start: int, end: int) -> list[Span]:
    """Code cut in front of the lines that stand farthest left; where there is but one, in front of those within it."""
    begin = text.rfind("\n", 0, start) + 1  # the first line may have lost the white space before it
    if text[begin:start].strip():
        begin = start
    lines = [found.span() for found in _LINE.finditer(text, begin, end)]
    for skipped in (0, 1):
        rest = lines[skipped:]
        if not rest:
            break
        least = min(_indent(text, line) for line in rest)
        starts: list[int] = [lines[0][0]]
        glued = True  # what stands first keeps what follows it: the line of a definition, a comment
        for line in rest:
            left = text[line[0] + _indent(text, line) : line[1]]
            opens = _indent(text, line) == least and not _GOES_ON.match(left)
            if opens and not glued:
                starts.append(line[0])
            glued = bool(_BELONGS_BELOW.match(left)) and (opens or glued)
        if len(starts) > 1:
            ends = [*starts[1:], end]
            return [_stripped(text, max(one, start), close) for one, close in zip(starts, ends, strict=True)]
    return [(start, end)]


def _indent(text: str, line: Span) -> int:
    part = text[line[0] : line[1]]
    return len(part) - len(part.lstrip())


def _between_words(text: str, start: int, end: int, tokens: int, count: Callable[[str], int]) -> Iterator[Span]:
    """Halved at the space nearest to the middle, where one is near, else at a character, until every part fits."""
    waiting = [(start, end)]
    while waiting:
        begin, close = waiting.pop()
        if close - begin <= 1 or count(text[begin:close]) <= tokens:
            yield begin, close
            continue
        middle = _middle(text, begin, close)
        if middle is None:
            yield begin, close
            continue
        halves = (_stripped(text, begin, middle), _stripped(text, middle, close))
        waiting += [half for half in reversed(halves) if half[0] < half[1]]


def _middle(text: str, begin: int, close: int) -> int | None:
    """The place to cut nearest to the middle; None where what looks like one character would be cut."""
    middle, away = (begin + close) // 2, (close - begin) // 4
    after = _SPACE.search(text, middle, close - away)
    before = next((place for place in range(middle, begin + away, -1) if text[place].isspace()), None)
    places = [place for place in (before, after.start() if after else None) if place is not None]
    if places:
        return min(places, key=lambda place: (abs(place - middle), place))
    for step in range(close - begin):
        for place in (middle - step, middle + step):
            if begin < place < close and not _joins(text[place]) and text[place - 1] != "\u200d":
                return place
    return None


def _joins(letter: str) -> bool:
    """Whether a character is drawn with the one before it: an accent, a sign of tone, a skin colour, a joiner."""
    return unicodedata.category(letter)[0] == "M" or letter == "\u200d" or "\U0001f3fb" <= letter <= "\U0001f3ff"


def _stripped(text: str, start: int, end: int) -> Span:
    part = text[start:end]
    body = part.strip()
    begin = start + len(part) - len(part.lstrip())
    return begin, begin + len(body)
