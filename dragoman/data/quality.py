"""Filters on the quality of a document, in the spirit of Gopher (Rae et al. 2021, A1.1) and C4 (Raffel et al. 2020).

Each filter has a name, and a document is dropped by the first that it fails. The presets differ in what they take for
text: `text` keeps poems, plays, lists and program listings, `web` holds the bounds of Gopher, `code` only what is no
program at all, `none` keeps everything.
"""

import math
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from dragoman.core.config import nearest
from dragoman.core.errors import UserError
from dragoman.data.letters import DIGIT, IDEOGRAPH, LETTER, LINE, MARK, SPACE, SYMBOL, UNDECODED, Letters

__all__ = ["FILTERS", "Quality", "judge"]

FILTERS = {
    "blank": "nothing but white space",
    "undecoded": "replacement characters: it was decoded wrongly before it came here",
    "short": "too few words",
    "long": "too many words",
    "word-length": "the mean length of its words is not that of a language",
    "few-letters": "too few letters and digits among its characters",
    "symbols": "too many # and ... for its words",
    "bullets": "nearly all lines are items of a list",
    "ellipses": "too many lines break off in an ellipsis",
    "repeated-lines": "too much of it stands in lines that it has already",
    "repetitive": "it says the same again and again: zlib makes nearly nothing of it",
    "lorem-ipsum": "it is filler text",
}
BULLETS = ("-", "*", "•", "●", "–", "·", "‣", "o ")
WINDOW = 4096  # characters that are compressed, from the middle: deflate of a whole text would cost as much as tokens
ENOUGH = 1000  # characters from which on compression tells anything
LINES = 4  # with fewer lines there is no share of lines


@dataclass(frozen=True)
class Quality:
    """The bounds of the filters; what is not given is as the preset says, and inf or 0 turns a filter off."""

    preset: str = "text"
    "text (keeps poems, plays and listings), web (the bounds of Gopher), code, or none (no filter)."
    min_words: float | None = None
    "The fewest words of a document."
    max_words: float | None = None
    "The most words of a document."
    min_word_length: float | None = None
    "The least mean length of its words, in characters."
    max_word_length: float | None = None
    "The greatest mean length of its words, in characters."
    min_letters: float | None = None
    "The least share of letters and digits among the characters that are no space."
    max_symbols: float | None = None
    "The most # and ... a word."
    max_bullets: float | None = None
    "The greatest share of lines that begin with a bullet."
    max_ellipses: float | None = None
    "The greatest share of lines that end in an ellipsis."
    max_repeated: float | None = None
    "The greatest share of characters in lines that stand in the document already."
    min_compressed: float | None = None
    "The least share of a text that zlib leaves of it."
    max_undecoded: float | None = None
    "The greatest share of replacement characters (U+FFFD)."
    lorem_ipsum: bool | None = None
    "Whether filler text is dropped."

    def __post_init__(self) -> None:
        if self.preset not in _PRESETS:
            raise UserError(
                f"there is no preset of filters named '{self.preset}'",
                f"{nearest(self.preset, _PRESETS)}; say quality.preset=text",
            )

    def bounds(self) -> "Quality":
        """The same with every bound filled in."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        said = {name: value for name, value in given.items() if value is not None}
        return Quality(**{**_PRESETS[self.preset], **said})


_PRESETS: dict[str, dict[str, float]] = {
    "text": {
        "min_words": 3, "max_words": math.inf, "min_word_length": 1.5, "max_word_length": 20, "min_letters": 0.4,
        "max_symbols": 1.0, "max_bullets": 0.98, "max_ellipses": 0.7, "max_repeated": 0.7, "min_compressed": 0.06,
        "max_undecoded": 0.01, "lorem_ipsum": True,
    },
    "web": {
        "min_words": 50, "max_words": 100_000, "min_word_length": 3, "max_word_length": 10, "min_letters": 0.7,
        "max_symbols": 0.1, "max_bullets": 0.9, "max_ellipses": 0.3, "max_repeated": 0.2, "min_compressed": 0.15,
        "max_undecoded": 0.001, "lorem_ipsum": True,
    },
    "code": {
        "min_words": 1, "max_words": math.inf, "min_word_length": 0, "max_word_length": math.inf, "min_letters": 0.2,
        "max_symbols": math.inf, "max_bullets": math.inf, "max_ellipses": math.inf, "max_repeated": 0.9,
        "min_compressed": 0.02, "max_undecoded": 0.01, "lorem_ipsum": False,
    },
    "none": {
        "min_words": 0, "max_words": math.inf, "min_word_length": 0, "max_word_length": math.inf, "min_letters": 0,
        "max_symbols": math.inf, "max_bullets": math.inf, "max_ellipses": math.inf, "max_repeated": math.inf,
        "min_compressed": 0, "max_undecoded": math.inf, "lorem_ipsum": False,
    },
}  # fmt: skip


def judge(texts: Sequence[str], letters: Letters, quality: Quality) -> list[str]:
    """For each text the name of the filter that drops it, empty where none does. `letters` is what `look` found in
    these texts."""
    most = quality.bounds()
    counts, words = letters.counts(), letters.words()
    good = counts[:, [LETTER, DIGIT, MARK, IDEOGRAPH]].sum(1)
    full = counts.sum(1) - counts[:, SPACE] - counts[:, LINE]
    length = np.divide(good, words, out=np.zeros(len(texts)), where=words > 0)
    checks = (
        ("blank", full == 0),
        ("undecoded", _over(counts[:, UNDECODED], most.max_undecoded, full)),
        ("short", words < _bound(most.min_words)),
        ("long", words > _bound(most.max_words)),
        # A text of ideographs has words of one character: a bound for words of letters says nothing of it.
        ("word-length", (length < _bound(most.min_word_length)) & (2 * counts[:, IDEOGRAPH] < good)),
        ("word-length", length > _bound(most.max_word_length)),
        ("few-letters", good < _bound(most.min_letters) * full),
        ("symbols", _over(counts[:, SYMBOL], most.max_symbols, words)),
    )
    found = [""] * len(texts)
    for name, failed in checks:
        for place in np.flatnonzero(failed).tolist():
            found[place] = found[place] or name
    breaks = counts[:, LINE].tolist()
    return [
        name or _lines(text, breaks[place], most) for place, (name, text) in enumerate(zip(found, texts, strict=True))
    ]


def _bound(value: float | None) -> float:
    assert value is not None, "bounds() fills them all in"
    return value


def _over(counted: NDArray[np.int64], bound: float | None, whole: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where a count is above its share of the whole; nowhere without a bound."""
    most = _bound(bound)
    return counted > most * whole if math.isfinite(most) else np.zeros(len(counted), np.bool_)


def _lines(text: str, breaks: int, most: Quality) -> str:
    """The filters that read the lines of one text, the cheap ones first."""
    if breaks >= LINES - 1:
        name = _by_line([line.strip() for line in text.split("\n")], most)
        if name:
            return name
    if most.min_compressed and len(text) >= ENOUGH:
        begin = max(0, (len(text) - WINDOW) // 2)
        sample = text[begin : begin + WINDOW].encode(errors="replace")
        if len(zlib.compress(sample, 1)) < _bound(most.min_compressed) * len(sample):
            return "repetitive"
    return "lorem-ipsum" if most.lorem_ipsum and "orem ipsum dolor" in text else ""


def _by_line(lines: Sequence[str], most: Quality) -> str:
    seen = Counter(lines)
    del seen[""]
    total = seen.total()
    if total < LINES:
        return ""
    if len(seen) < total:  # most texts repeat no line
        size = sum(map(len, lines))
        again = sum(len(line) * (count - 1) for line, count in seen.items() if count > 1)
        if again > _bound(most.max_repeated) * size:
            return "repeated-lines"
    listed = _bound(most.max_bullets) < 1 and any(line.startswith(BULLETS) for line in lines[:2])
    if listed and sum(line.startswith(BULLETS) for line in lines) > _bound(most.max_bullets) * total:
        return "bullets"
    if _bound(most.max_ellipses) < 1:
        broken = sum(line.endswith(("...", "\u2026")) for line in lines)
        if broken > _bound(most.max_ellipses) * total:
            return "ellipses"
    return ""
