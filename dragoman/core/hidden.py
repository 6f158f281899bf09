"""Finds what a reader does not see in a text but a model reads, and letters that look like others."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["CONTROLS", "PLAIN_LETTER", "Hidden", "hidden_text", "plain_letters"]

TAGS = re.compile("[\U000e0000-\U000e007f]+")
SELECTORS = re.compile("[\ufe00-\ufe0e\U000e0080-\U000e0fff\u180b-\u180f]")
ZERO_WIDTH = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]"
    "|(?<![^\x00-\u02ff])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\u02ff])|(?<=[\u200c\u200d])[\u200c\u200d]"
)
# One joiner between two letters beyond Latin stays: Persian, Indic scripts and emoji are written with them.
BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
CONTROLS = "control characters"
KINDS = (
    ("Unicode tags", TAGS),
    ("variation selectors", SELECTORS),
    ("zero-width characters", ZERO_WIDTH),
    ("direction marks", BIDI),
    (CONTROLS, CONTROL),
)
WORD = re.compile(r"[^\W\d_]+")
LATIN = re.compile(r"[A-Za-z]")

_CYRILLIC = dict(zip("аеорсухіѕјһԁԛԝѵАВЕКМНОРСТУХІЅЈ", "aeopcyxisjhdqwvABEKMHOPCTYXISJ", strict=True))
_GREEK = dict(zip("αοινρυκτΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "aoivpuktABEZHIKMNOPTYX", strict=True))
PLAIN_LETTER: Mapping[str, str] = {**_CYRILLIC, **_GREEK, "ı": "i", "ɡ": "g", "ɑ": "a", "ℓ": "l"}
"the Latin letter that a Cyrillic or Greek one is taken for (a part of Unicode TS 39's list of confusables)"
_TABLE = str.maketrans(dict(PLAIN_LETTER))


@dataclass(frozen=True, slots=True)
class Hidden:
    """A text as it is seen, and what was hidden in it."""

    text: str
    counts: Mapping[str, int] = field(default_factory=dict)
    "how many characters of each kind were taken out"
    smuggled: str = ""
    "what the Unicode tags spelled"
    lookalikes: int = 0
    "words of Latin letters with a Cyrillic or Greek one among them; they stay as they are"

    @property
    def problems(self) -> tuple[str, ...]:
        """What a person should know of it."""
        told = [f"{count} {kind} were removed: a reader does not see them" for kind, count in self.counts.items()]
        told += [f"they spelled {self.smuggled[:80]!r}"] if self.smuggled else []
        told += [f"{self.lookalikes} words mix letters that look alike"] if self.lookalikes else []
        return tuple(told)


def hidden_text(text: str) -> Hidden:
    """The text without what is not seen, how many characters of each kind that were, and words that are not what they
    look like."""
    if text.isascii() and not CONTROL.search(text):
        return Hidden(text)
    counts: dict[str, int] = {}
    letters = (chr(ord(one) - 0xE0000) for run in TAGS.findall(text) for one in run)
    spelled = "".join(one for one in letters if " " <= one <= "~")
    while True:  # a joiner may be left between two Latin letters when what stood beside it is gone
        before = text
        for kind, pattern in KINDS:
            found = sum(len(run) for run in pattern.findall(text))
            if found:
                text = pattern.sub("", text)
                counts[kind] = counts.get(kind, 0) + found
        if text == before:
            break
    mixed = sum(
        bool(LATIN.search(word)) and any(letter in PLAIN_LETTER for letter in word) for word in WORD.findall(text)
    )
    return Hidden(text, counts, spelled, mixed)


def plain_letters(text: str) -> str:
    """The text with compatibility forms made one (NFKC) and look-alike letters made Latin: to compare, not to show."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", hidden_text(unicodedata.normalize("NFKC", text)).text).translate(_TABLE)
