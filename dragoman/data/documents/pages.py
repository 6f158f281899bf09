"""Makes parts out of the ordered lines of pages: headings, paragraphs, tables; running heads dropped, words mended."""

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from dragoman.data.documents.layout import Line
from dragoman.data.documents.parts import Part

__all__ = ["page_parts", "without_running_heads"]

EDGE = 3  # lines at the top and at the bottom of a page that may be running heads
MOST = 0.6  # of the pages on which a line must stand to be one
CLEARLY, SLIGHTLY = 1.15, 1.05  # times the size of the text: a heading, and one where it is short and no sentence
DIGITS = re.compile(r"\d+")
ITEM = re.compile(r"([\u2022\u25cf\u25aa\u2013*\u00b7\uf0b7-]|\(?\d{1,2}[.)]|\(?[a-z]\))\s+\S")
SPLIT = re.compile(r"([^\W\d_]+)[-\u2010\u00ad]$")
ENDED = re.compile(r"[.!?:;][\"'\u201d\u2019)\]]*$")


def without_running_heads(pages: Sequence[list[Line]]) -> tuple[list[list[Line]], list[str]]:
    """The pages without lines that stand at the edge of most of them (their number may count up), and what is told."""
    with_text = sum(1 for page in pages if page)
    if with_text < 3:
        return [list(page) for page in pages], []
    counts: Counter[tuple[str, int]] = Counter()
    for number, page in enumerate(pages, 1):
        counts.update({shape for line in _edges(page) for shape in _shapes(line, number)})
    heads = {shape for shape, count in counts.items() if count >= max(3, MOST * with_text)}
    kept = []
    dropped: dict[tuple[str, int], list[str]] = {}
    for number, page in enumerate(pages, 1):
        found = {id(line): shape for line in _edges(page) for shape in _shapes(line, number) if shape in heads}
        kept.append([line for line in page if id(line) not in found])
        for line in page:
            if id(line) in found:
                dropped.setdefault(found[id(line)], []).append(line.text.strip())
    if not any(kept):  # the same line is all there is
        return [list(page) for page in pages], []
    told = [f"a line on {len(texts)} pages was dropped: {texts[0][:60]!r}" for texts in dropped.values()]
    return kept, told


def _shapes(line: Line, number: int) -> list[tuple[str, int]]:
    """What a line is counted as: its text, and where it holds a number, its text with how far that is from the page's.

    So `Page 3` is the same line as `Page 4` on the next page, and `Article 3` is not.
    """
    text = " ".join(line.text.split()).lower()
    digits = DIGITS.search(text)
    shapes = [(text, 0)]
    if digits and len(digits[0]) < 6:
        shapes.append((f"{text[: digits.start()]}#{text[digits.end() :]}", int(digits[0]) - number))
    return shapes


def _edges(page: Sequence[Line]) -> list[Line]:
    """The first and the last lines of a page by their height."""
    by_height = sorted(page, key=lambda line: line.y0)
    return by_height[:EDGE] + by_height[max(EDGE, len(by_height) - EDGE) :]


def page_parts(pages: Sequence[list[Line]]) -> list[Part]:
    """The parts of all pages, numbered from 1. A paragraph that runs over a page is two, one on each."""
    every = [line for page in pages for line in page]
    if not every:
        return []
    sizes: Counter[float] = Counter()
    for line in every:
        sizes[round(line.size, 1)] += len(line.text)
    body = sizes.most_common(1)[0][0]
    larger = sorted({size for size in sizes if body and size > SLIGHTLY * body}, reverse=True)
    words = Counter(re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", " ".join(line.text for line in every).lower()))
    parts = []
    for number, page in enumerate(pages, 1):
        for group in _groups(page, body):
            parts.append(_part(group, body, larger, words, number))
    return parts


def _groups(page: list[Line], body: float) -> list[list[Line]]:
    """Lines that belong together: of one column, one size, without a gap, and no new beginning between them."""
    groups: list[list[Line]] = []
    page = _justified(page)
    gaps = [b.y0 - a.y0 for a, b in itertools.pairwise(page) if a.column == b.column and b.y0 > a.y0]
    usual = median(gaps) if gaps else 0.0
    rights: dict[int, float] = {}
    lefts: dict[int, float] = {}
    for line in page:
        rights[line.column] = max(rights.get(line.column, line.x1), line.x1)
        lefts[line.column] = min(lefts.get(line.column, line.x0), line.x0)
    for line in page:
        before = groups[-1][-1] if groups else None
        if before is None or _begins(before, line, usual, rights[line.column], lefts[line.column], body):
            groups.append([line])
        else:
            groups[-1].append(line)
    return groups


def _justified(page: list[Line]) -> list[Line]:
    """The lines, where one row of cells stands alone in running text a line of it: its spaces were made wide."""
    lone = {
        place
        for place, (before, line, after) in enumerate(zip(page, page[1:], page[2:], strict=False), 1)
        if line.cells == 2 and before.cells == after.cells == 1 and before.column == line.column == after.column
    }
    return [
        replace(line, text=line.text.replace(" | ", " "), cells=1) if place in lone else line
        for place, line in enumerate(page)
    ]


def _begins(before: Line, line: Line, usual: float, right: float, left: float, body: float) -> bool:
    if before.column != line.column or (before.cells > 1) != (line.cells > 1):
        return True
    if line.cells > 1:
        return line.y0 - before.y1 > 2.5 * line.height
    if (before.size > SLIGHTLY * body) != (line.size > SLIGHTLY * body):
        return True
    if _large(before, body) != _large(line, body) or (_large(line, body) and abs(before.size - line.size) > 0.6):
        return True
    step = line.y0 - before.y0
    if step < 0 or step > max(1.45 * usual, 1.25 * line.height) or ITEM.match(line.text):
        return step < 0 or bool(ITEM.match(line.text)) or step > 1.3 * max(usual, line.height)
    size = line.size or line.height
    indented = line.x0 - before.x0 > 0.8 * size and before.x0 - left < 0.8 * size
    return bool(ENDED.search(before.text)) and (right - before.x1 > 0.15 * (right - left) or indented)


def _large(line: Line, body: float) -> bool:
    return bool(body) and line.size > CLEARLY * body


def _is_heading(group: list[Line], text: str, body: float) -> bool:
    """Letters clearly larger than the text's, or a short line of slightly larger ones that is no sentence."""
    if not body or len(text) > 200 or len(group) > 4 or not any(letter.isalpha() for letter in text):
        return False
    slightly = min(line.size for line in group) > SLIGHTLY * body and len(text) <= 80 and not ENDED.search(text)
    return _large(group[0], body) or slightly


def _part(group: list[Line], body: float, larger: list[float], words: Counter[str], page: int) -> Part:
    first = group[0]
    if first.cells > 1 and len(group) > 1:
        return Part("\n".join(" ".join(line.text.split()) for line in group), "table", page=page)
    text = _joined([" ".join(line.text.split()) for line in group], words)
    if _is_heading(group, text, body):
        rank = next((place for place, size in enumerate(larger, 1) if size <= round(first.size, 1)), len(larger))
        return Part(text, "heading", min(6, rank), page)
    return Part(text, "list" if ITEM.match(text) else "paragraph", page=page)


def _joined(lines: list[str], words: Counter[str]) -> str:
    """One text; a word that was split at the end of a line is made whole."""
    text = lines[0]
    for line in lines[1:]:
        split = SPLIT.search(text)
        rest = re.match(r"[^\W\d_]+", line)
        if not split or not rest or not rest[0][0].islower():
            text += ("" if text.endswith("-") and split else " ") + line
            continue
        hyphened, whole = f"{split[1]}-{rest[0]}".lower(), f"{split[1]}{rest[0]}".lower()
        keep = words[hyphened] > words[whole]  # a hyphen that the document writes elsewhere is its own
        text = text[: split.end(1)] + ("-" if keep else "") + line
    return text
