"""What an answer claims to take from its passages, checked after it was written: numbers that exist, words that stand
there."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dragoman.app.passages import BRACKETED, Citation, Passage, said
from dragoman.core.documents import NOT_IN_DOCUMENTS

__all__ = ["Checked", "checked", "cited", "declines", "verbatim"]

QUOTES = re.compile(
    '"(?P<straight>[^"\n]+)"|\N{LEFT DOUBLE QUOTATION MARK}(?P<curly>[^\N{LEFT DOUBLE QUOTATION MARK}'
    "\N{RIGHT DOUBLE QUOTATION MARK}]+)\N{RIGHT DOUBLE QUOTATION MARK}"
    "|\N{DOUBLE LOW-9 QUOTATION MARK}(?P<low>[^\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}]+)"
    "[\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}]"
    "|\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}(?P<angle>[^\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}]+)"
    "\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}"
    "|\N{LEFT CORNER BRACKET}(?P<corner>[^\N{RIGHT CORNER BRACKET}]+)\N{RIGHT CORNER BRACKET}"
)
WIDE = str.maketrans(
    {
        "\N{LEFT BLACK LENTICULAR BRACKET}": "[",
        "\N{RIGHT BLACK LENTICULAR BRACKET}": "]",
        "\N{FULLWIDTH LEFT SQUARE BRACKET}": "[",
        "\N{FULLWIDTH RIGHT SQUARE BRACKET}": "]",
    }
)
BEHIND = re.compile(rf"[\s.,;:!?]*{BRACKETED.pattern}")
MARKS = re.compile(
    '["\\[\\]\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}\N{DOUBLE LOW-9 QUOTATION MARK}'
    "\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}"
    "\N{LEFT CORNER BRACKET}\N{RIGHT CORNER BRACKET}]"
)
PASSES = 8
RANGE = 20  # passages that `[1-20]` may mean at the most


@dataclass(frozen=True, slots=True)
class Checked:
    """An answer whose citations all exist, what it cites, and what was wrong with it as it was written."""

    text: str
    citations: tuple[Citation, ...] = ()
    problems: tuple[str, ...] = ()
    marks: int = 0
    "citations and quotations as they were written"
    wrong: int = 0
    "those of them that were removed or put right"


def cited(bracket: str) -> list[int]:
    """The numbers that the inside of `[1, 3-4]` names, each once, in order."""
    found: list[int] = []
    for part in re.split(r"[,;]", bracket):
        ends = [int(end[:9]) for end in re.findall(r"\d+", part)]
        if len(ends) == 2 and ends[0] <= ends[1] < ends[0] + RANGE:
            found += range(ends[0], ends[1] + 1)
        else:
            found += ends
    return list(dict.fromkeys(found))


def declines(text: str) -> bool:
    """Whether an answer is, or opens with, the statement that it is not in the documents."""
    plain = " ".join(re.sub(r"[^\w\s]", " ", text).lower().split())
    return re.match(rf"(?:(?:it|this|that|the answer) is )?{NOT_IN_DOCUMENTS}\b", plain) is not None


def verbatim(quoted: str, text: str) -> tuple[int, int] | None:
    """Where a quotation stands in a text, but for the white space between its words; None where it does not.

    A document's own `[4]` is shown to a model as `(4)`: either is right.
    """
    parts = [re.escape(part) for part in said(quoted).split()]
    found = re.search(r"\s+".join(parts), said(text)) if parts else None
    return (found.start(), found.end()) if found else None


def checked(answer: str, passages: Sequence[Passage]) -> Checked:
    """The answer without citations of passages that are not there, nor quotations that stand in none.

    A quotation in front of a citation must stand in the passage it cites: where it stands in another one, that one is
    cited; where it stands in none, its marks are taken away. What is left says nothing of a source that is not so, but
    for statements in the answer's own words: app.grounding looks at those.
    """
    text = answer.translate(WIDE)
    problems: list[str] = []
    marks = wrong = 0
    for turn in range(PASSES):  # what is taken out may leave a new pair of marks behind: until nothing is
        before = text
        text, spans, quoted, bad_quotes = _quotations(text, passages)
        text, named, unknown = _numbers(text, passages)
        problems += [*bad_quotes, *(f"there is no passage [{number}]" for number in dict.fromkeys(unknown))]
        wrong += len(bad_quotes) + len(unknown)
        marks = marks if turn else quoted + len(named) + len(unknown)
        if text == before:
            break
    else:
        text, spans, named = MARKS.sub("", text), [], []
        problems.append("its marks are too tangled to be read")
    whole = [Citation(number) for number in dict.fromkeys(named) if number not in {span.number for span in spans}]
    return Checked(text, tuple(dict.fromkeys((*spans, *whole))), tuple(problems), marks, min(wrong, marks))


def _quotations(text: str, passages: Sequence[Passage]) -> tuple[str, list[Citation], int, list[str]]:
    """The text with true quotations alone, where those stand, how many there were, and what was wrong."""
    problems: list[str] = []
    spans: list[Citation] = []
    pieces: list[str] = []
    at = count = 0
    for quote in QUOTES.finditer(text):
        inner = next(group for group in quote.groups() if group is not None)
        if BRACKETED.fullmatch(inner.strip()) or not inner.strip():
            continue
        count += 1
        behind = BEHIND.match(text, quote.end())
        numbers = cited(behind[1]) if behind else []
        place = _standing(inner, passages, numbers)
        pieces.append(text[at : quote.start()])
        at = quote.end()
        if place is None:
            problems.append(f"stands in no passage: {inner[:80]!r}")
            pieces.append(inner)
            continue
        spans.append(place)
        # a number in brackets inside a true quotation is the document's own
        pieces.append(text[quote.start() : quote.start() + 1] + said(inner) + text[quote.end() - 1 : quote.end()])
        if behind and place.number not in numbers:
            problems.append(f"stands in [{place.number}], not in [{behind[1].strip()}]: {inner[:80]!r}")
            pieces.append(f"{text[at : behind.start(1) - 1]}[{place.number}]")
            at = behind.end()
    return "".join((*pieces, text[at:])), spans, count, problems


def _numbers(text: str, passages: Sequence[Passage]) -> tuple[str, list[int], list[int]]:
    """The text with the numbers of passages alone, those that it cites, and those that there are not."""
    known = {passage.number for passage in passages}
    named: list[int] = []
    unknown: list[int] = []

    def mend(found: re.Match[str]) -> str:
        kept = [number for number in cited(found[1]) if number in known]
        named.extend(kept)
        unknown.extend(number for number in cited(found[1]) if number not in known)
        return "".join(f"[{number}]" for number in kept)

    text = BRACKETED.sub(mend, text)
    return re.sub(r"[ \t]+(?=[.,;:!?](?:\s|$))|[ \t]+$", "", text, flags=re.MULTILINE).strip(), named, unknown


def _standing(quoted: str, passages: Sequence[Passage], first: Sequence[int]) -> Citation | None:
    """The passage and place of a quotation, the passages that are cited for it before all others."""
    for passage in sorted(passages, key=lambda one: one.number not in first):
        found = verbatim(quoted, passage.chunk.text)
        if found:
            return Citation(passage.number, *found)
    return None
