"""The few words of a sentence that answer a question, by the kind of thing that an English question asks for."""

import re
from collections.abc import Sequence

from dragoman.app.quoting import Quotation
from dragoman.app.wording import FUNCTION, Word, content, listed, same_word, words
from dragoman.core.sentences import Span

__all__ = ["shortest_answer", "span_in", "wanted"]

KINDS = (
    (
        "date",
        re.compile(r"\b(when|(what|which) (year|date|day|month|century|decade)|since what|how (recently|early))\b"),
    ),
    ("number", re.compile(r"\bhow (many|much|old|long|far|tall|high|large|big|often|fast|deep|wide)\b")),
    ("number", re.compile(r"\bwhat (is the )?(percent|percentage|number|amount|age|score|share|rate|fraction)\b")),
    ("name", re.compile(r"\b(who|whom|whose|where)\b")),
    (
        "name",
        re.compile(
            r"\b(what|which) (\w+ )?(city|country|state|team|player|person|company|university|school|river|area|region|"
            r"name|king|president|group|organization|language|actor|actress|singer|band|party|province|island|county)\b"
        ),
    ),
)
DATE = re.compile(
    r"(?:(?:\d{1,2} )?(?:January|February|March|April|May|June|July|August|September|October|November|December)"
    r"(?: \d{1,2}(?:st|nd|rd|th)?)?(?:,? \d{4})?)|(?:the )?(?:early |mid-?|late )?\d{1,2}(?:st|nd|rd|th) century"
    r"|(?:the )?(?:early |mid-?|late )?\d{3,4}s|\b\d{3,4}(?: (?:BC|AD|BCE|CE))?\b"
)
MONTHS = frozenset(listed("january february march april may june july august september october november december"))
YEAR = re.compile(r"1\d{3}|20\d{2}")
SCALES = frozenset(listed("million billion trillion thousand percent hundred dozen"))
NEAR = 12.0  # words after which it matters half as much that a word of the question stands there


def wanted(question: str) -> str:
    """The kind of thing a question asks for: date, number, name, or other."""
    plain = question.lower()
    return next((kind for kind, shape in KINDS if shape.search(plain)), "other")


def span_in(question: str, sentence: str) -> Span | None:
    """Where the answer stands in a sentence; None where no piece of it fits.

    Of the pieces of the wanted kind, without a word of the question, the one that stands nearest to the most of them.
    """
    own = words(sentence)
    asked = [word.plain for word in content(words(question))]
    shared = [any(same_word(word.plain, other) for other in asked) for word in own]
    kind = wanted(question)
    spans = {"date": _dates, "number": _numbers, "name": _names}.get(kind, _phrases)(own, sentence)
    anchors = [
        place for place, (word, hit) in enumerate(zip(own, shared, strict=True)) if hit and word.plain not in FUNCTION
    ]
    best: tuple[float, Span] | None = None
    for first, last, start, end in spans:
        inside = sum(shared[first : last + 1])
        if inside > (last - first + 1) // 2 or (inside and kind in ("number", "other")):
            continue
        near = sum(1.0 / (1.0 + _gap(place, first, last) / NEAR) for place in anchors if not first <= place <= last)
        score = near - 0.5 * inside
        if kind == "number":
            score += 0.8 * _gives_unit(own, last, asked)
        if best is None or score > best[0] + 1e-9:
            best = score, (start, end)
    return best[1] if best else None


def shortest_answer(question: str, found: Sequence[Quotation], most: int = 3) -> tuple[Quotation, Span] | None:
    """The first of the best quotations that holds an answer, and where in its passage's text the answer stands."""
    for quotation in found[:most]:
        span = span_in(question, quotation.text)
        if span:
            return quotation, (quotation.start + span[0], quotation.start + span[1])
    return None


Piece = tuple[int, int, int, int]
"""First and last word, and where in the text they begin and end."""


def _gap(place: int, first: int, last: int) -> int:
    return first - place if place < first else place - last


def _gives_unit(own: Sequence[Word], last: int, asked: Sequence[str]) -> bool:
    """Whether the word behind a number is one that the question asks how many of."""
    behind = [word.plain for word in own[last + 1 : last + 3]]
    return any(same_word(word, other) for word in behind for other in asked)


def _dates(own: Sequence[Word], text: str) -> list[Piece]:
    return _pieces(own, [found.span() for found in DATE.finditer(text)])


def _numbers(own: Sequence[Word], text: str) -> list[Piece]:
    spans = []
    for place, word in enumerate(own):
        if not word.number or word.plain == "1" or YEAR.fullmatch(word.plain):
            continue
        end, start = word.end, word.start
        if place + 1 < len(own) and own[place + 1].plain in SCALES:
            end = own[place + 1].end
        if text[end : end + 1] == "%":
            end += 1
        if text[start - 1 : start] in ("$", "\N{POUND SIGN}", "\N{EURO SIGN}") and start:
            start -= 1
        spans.append((start, end))
    return _pieces(own, spans)


def _names(own: Sequence[Word], text: str) -> list[Piece]:
    found, first = [], -1
    last = -1
    for place, word in enumerate(own):
        big = (word.capital and (word.plain not in FUNCTION or first >= 0)) or (word.number and first >= 0)
        joined = first >= 0 and re.fullmatch(r"[\s.\-'&]*", text[own[last].end : word.start]) is not None
        if first >= 0 and not (joined and (big or word.plain in ("of", "de", "von", "van"))):
            found.append((first, last))
            first = -1
        if big:
            first, last = (place if first < 0 else first), place
    if first >= 0:
        found.append((first, last))
    found = [(one, two) for one, two in found if own[one].plain not in MONTHS]
    return [(one, two, own[one].start, own[two].end) for one, two in found]


def _phrases(own: Sequence[Word], text: str) -> list[Piece]:
    """Runs of words between function words and punctuation: the chunks that a noun phrase falls into."""
    found: list[Piece] = []
    first = -1
    for place, word in enumerate([*own, Word(len(text), len(text), "the")]):
        apart = place and re.search(r"[^\s\-'/]", text[own[place - 1].end : word.start])
        stops = word.plain in FUNCTION
        if first >= 0 and (stops or apart):
            found.append((first, place - 1, own[first].start, own[place - 1].end))
            first = -1
        if not stops and first < 0:
            first = place
    return found


def _pieces(own: Sequence[Word], spans: Sequence[Span]) -> list[Piece]:
    found = []
    for start, end in spans:
        inside = [place for place, word in enumerate(own) if word.start < end and word.end > start]
        if inside:
            found.append((inside[0], inside[-1], start, end))
    return found
