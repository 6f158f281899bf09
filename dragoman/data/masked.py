"""Takes secrets and personal data out of many texts, and counts them by kind; texts that hold none cost little."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dragoman.core.config import nearest
from dragoman.core.errors import UserError
from dragoman.data.letters import DIGIT, Letters
from dragoman.data.paragraphs import paragraphs
from dragoman.data.private import SECRETS, hints

__all__ = ["MASKS", "mask_all", "suspects"]

MASKS = ("all", "secrets", "none")
SPAN, DIGITS = 34, 9  # every number that is looked for has nine digits among 34 characters: a card, a phone, an account
# A piece that every hint of a kind holds: twenty searches for a word are ten times faster than one for a pattern.
TOKENS = (
    *("PRIVATE KEY", "AKIA", "ASIA", "AIza", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "hf_", "sk-"),
    *("xox", "glpat-", "eyJ"),
)
ADDRESS = re.compile(r"[\w.+-]@[\w-]")
WORDS = ("passw", "secret", "apikey", "api_key", "api-key")
LONGEST = 1 << 16  # characters that are searched at a time: the cost of hints grows with the square of their number


def mask_all(texts: Sequence[str], letters: Letters, what: str) -> tuple[list[str], Counter[str]]:
    """The texts with all but the first two characters of each hint replaced by its kind, and how many of each kind.

    `what` is all, secrets or none. `letters` is what `look` found in these texts.
    """
    if what not in MASKS:
        raise UserError(f"mask cannot be '{what}'", f"{nearest(what, MASKS)}; say mask=all")
    counted: Counter[str] = Counter()
    masked = list(texts)
    for place in np.flatnonzero(suspects(texts, letters)).tolist() if what != "none" else ():
        pieces = [texts[place]] if len(texts[place]) <= LONGEST else _pieces(texts[place])
        masked[place] = "".join(_masked(piece, what, counted) for piece in pieces)
    return masked, counted


def suspects(texts: Sequence[str], letters: Letters) -> NDArray[np.bool_]:
    """[texts] which of them can hold a hint at all: so many digits close together, a word or a beginning of one."""
    found = _numbers(letters)
    digits = letters.counts()[:, DIGIT].tolist()
    for place in np.flatnonzero(~found).tolist():
        text = texts[place]
        found[place] = _token(text) or bool(digits[place] and _worded(text))
    return found


def _token(text: str) -> bool:
    return any(piece in text for piece in TOKENS) or ("@" in text and bool(ADDRESS.search(text)))


def _worded(text: str) -> bool:
    folded = text.casefold()  # as a pattern that ignores case does it: it takes a long s for an s
    return any(word in folded for word in WORDS)


def _numbers(letters: Letters) -> NDArray[np.bool_]:
    """[texts] whether somewhere nine digits stand among 34 characters."""
    told = np.zeros(len(letters.starts) - 1, np.bool_)
    places = np.flatnonzero(letters.kinds == DIGIT)
    if len(places) < DIGITS:
        return told
    close = np.flatnonzero(places[DIGITS - 1 :] - places[: 1 - DIGITS] < SPAN)
    first, last = places[close], places[close + DIGITS - 1]
    owner = np.searchsorted(letters.starts, first, side="right") - 1
    told[owner[last < letters.starts[owner + 1]]] = True
    return told


def _masked(text: str, what: str, counted: Counter[str]) -> str:
    parts, begin = [], 0
    for hint in hints(text):
        if what == "all" or hint.kind in SECRETS:
            counted[hint.kind] += 1
            parts += [text[begin : hint.start + 2], f"...[{hint.kind}]"]
            begin = hint.end
    return "".join([*parts, text[begin:]])


def _pieces(text: str) -> list[str]:
    """Whole paragraphs up to the longest that is searched at once, so that a key of some lines stays whole."""
    found: list[str] = []
    for paragraph in paragraphs(text, LONGEST):
        if found and len(found[-1]) + len(paragraph) <= LONGEST:
            found[-1] += paragraph
        else:
            found.append(paragraph)
    return found
