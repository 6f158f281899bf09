"""Cuts a text into paragraphs, each with the blank lines behind it, so that together they are the text again."""

import re

__all__ = ["border", "paragraphs"]

BREAK = re.compile(r"\n(?:[ \t\r]*\n)+")


def paragraphs(text: str, longest: int = 0) -> list[str]:
    """The paragraphs of a text, none of them blank unless the text is. With `longest`, one of more characters is cut
    behind a line, so that a text without blank lines is many too."""
    if not text:
        return []
    ends = [found.end() for found in BREAK.finditer(text)]
    if ends and not text[: ends[0]].strip():
        del ends[0]  # a text may begin with blank lines: they belong to its first paragraph
    if not ends or text[ends[-1] :].strip():
        ends.append(len(text))
    ends[-1] = len(text)  # white space at the end belongs to the last one
    if longest:
        ends = _bounded(text, ends, longest)
    begins = [0, *ends[:-1]]
    return [text[begin:end] for begin, end in zip(begins, ends, strict=True)]


def border(text: str, middle: int) -> int:
    """The place nearest to `middle` where a text may be cut in two: between paragraphs, else lines, else words, else
    characters; both sides hold something, where the text has two characters."""
    for mark in ("\n\n", "\n", " "):
        before, after = text.rfind(mark, 0, middle + len(mark) - 1), text.find(mark, middle)
        places = [place + len(mark) for place in (before, after) if place >= 0]
        fitting = [place for place in places if text[:place].strip() and text[place:].strip()]
        # A poem of one paragraph has its only blank line at an end: a cut far from the middle is no share of anything.
        near = [place for place in fitting if abs(place - middle) <= max(1, min(middle, len(text) - middle) // 2)]
        if near:
            return min(near, key=lambda place: (abs(place - middle), place))
    return min(max(1, middle), max(1, len(text) - 1))


def _bounded(text: str, ends: list[int], longest: int) -> list[int]:
    found: list[int] = []
    begin = 0
    for end in ends:
        while end - begin > longest:
            line = text.rfind("\n", begin, begin + longest) + 1
            begin = line if line > begin else begin + longest
            found.append(begin)
        if end > begin:
            found.append(end)
        begin = end
    return found
