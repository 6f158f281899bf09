"""The words of a text as evidence: which say something, which are numbers, which are names, which deny."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

__all__ = [
    "DENIALS",
    "FUNCTION",
    "Word",
    "content",
    "denies",
    "listed",
    "names",
    "numbers",
    "rarity",
    "same_word",
    "words",
]

CJK = (
    "\N{HIRAGANA LETTER SMALL A}-\N{KATAKANA LETTER SMALL KE}\N{CJK UNIFIED IDEOGRAPH-3400}-"
    "\N{CJK UNIFIED IDEOGRAPH-9FFF}\N{HANGUL SYLLABLE GA}-\N{HANGUL SYLLABLE HIH}"
)
PIECE = re.compile(
    rf"[{CJK}]|\d+(?:[.,]\d+)*[\N{{VULGAR FRACTION ONE QUARTER}}-\N{{VULGAR FRACTION THREE QUARTERS}}]?"
    rf"|(?:(?![{CJK}])[^\W\d_])+(?:['\N{{RIGHT SINGLE QUOTATION MARK}}](?![{CJK}])[^\W\d_]+)*"
)


def listed(line: str) -> tuple[str, ...]:
    """The words of a line of words."""
    return tuple(line.split())


FUNCTION = frozenset(
    listed(
        "a an the this that these those some any each every either neither both all few more most other such own "
        "same and or but nor so yet if then else than as because while although though whereas unless until since "
        "of in on at by for with about against between into through during before after above below to from up "
        "down out off over under again further once here there when where why how what which who whom whose "
        "whether i me my we us our you your he him his she her it its they them their one ones itself himself "
        "themselves am is are was were be been being have has had having do does did doing done will would shall "
        "should can could may might must ought s t d ll re ve m also just only very too even still well much many "
        "within without upon per via among along across toward towards around however therefore thus"
    )
)
DENIALS = frozenset(listed("not no never none nobody nothing neither nor without cannot hardly"))
COUNTED = listed(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
)
WORTH = {word: str(number) for number, word in enumerate(COUNTED)} | {
    word: str(10 * tens)
    for tens, word in enumerate(["thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred"], 3)
}
SUFFIX = 4  # letters by which two forms of one word may differ: rank and ranking, defend and defended


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text, `text[start:end]`, and how it is compared."""

    start: int
    end: int
    plain: str
    "lower case, in one form of its accents; `1,234` is 1234, `four` is 4, `Manning's` is manning"
    number: bool = False
    capital: bool = False


def words(text: str) -> list[Word]:
    """The words of a text in order; of scripts without spaces, each sign is one."""
    found = []
    for match in PIECE.finditer(text):
        raw = match.group()
        plain = unicodedata.normalize("NFKC", raw).casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
        plain = plain.removesuffix("'s")
        if raw[0].isdigit():
            plain = re.sub(r",(?=\d{3})", "", plain)
        number = raw[0].isdigit() or plain in WORTH
        found.append(Word(match.start(), match.end(), WORTH.get(plain, plain), number, raw[0].isupper()))
    return found


def content(found: Iterable[Word]) -> list[Word]:
    """The words that say something: English function words are left out, numbers are not."""
    return [word for word in found if word.number or word.plain not in FUNCTION]


def numbers(found: Iterable[Word]) -> set[str]:
    """The numbers among words; `one`, which is mostly a pronoun, is none."""
    return {word.plain for word in found if word.number and word.plain != "1"}


def names(found: Sequence[Word]) -> set[str]:
    """Words that open with a capital letter inside a sentence, of scripts that have any; never its first word."""
    return {word.plain for word in found[1:] if word.capital and not word.number and word.plain not in FUNCTION}


def denies(found: Iterable[Word]) -> bool:
    """Whether an English word denies something: not, never, didn't."""
    return any(word.plain in DENIALS or word.plain.endswith("n't") for word in found)


def same_word(one: str, other: str) -> bool:
    """Whether two plain words are one word, or look like two forms of it: at least 4 first letters, most of both."""
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    if len(short) < 4 or len(long) - len(short) > SUFFIX or short[0].isdigit() or long[0].isdigit():
        return False
    common = next((place for place, letter in enumerate(short) if letter != long[place]), len(short))
    return common >= max(4, len(short) - 2)


def rarity(texts: Sequence[Iterable[str]]) -> Mapping[str, float]:
    """How much each plain word tells texts apart: ln(1 + (N - n + .5) / (n + .5)), n of N texts hold it."""
    counts = Counter(word for text in texts for word in set(text))
    total = len(texts)
    return {word: math.log1p((total - count + 0.5) / (count + 0.5)) for word, count in counts.items()}
