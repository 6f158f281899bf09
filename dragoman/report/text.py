"""Makes any text safe to look at: hidden characters are shown by name, long texts are cut and the cut is counted."""

import unicodedata

__all__ = ["advance", "cut", "fitted", "visible"]

# The bidirectional controls can make a line read as something it is not (Boucher and Anderson, 2021, Trojan Source).
_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\ufffe\uffff")


def visible(text: str) -> str:
    """The text with control characters and lone surrogates shown as [U+XXXX]; tabs and line ends stay."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(f"[U+{ord(mark):04X}]" if _hidden(mark) else mark for mark in text)


def _hidden(mark: str) -> bool:
    return mark not in "\n\t" and (mark in _CONTROLS or unicodedata.category(mark) in ("Cc", "Cs"))


def cut(text: str, length: int) -> tuple[str, int]:
    """The first `length` characters at most, and how many were left out."""
    if len(text) <= length:
        return text, 0
    return text[:length], len(text) - length


def advance(text: str, size: float) -> float:
    """About how wide a text is in a sans-serif font of this size, in the unit of `size`; a guess on the wide side.

    Measured on DejaVu Sans, the widest of the usual system fonts: 0.60 em a letter on average, 1 em for wide scripts.
    """
    total = 0.0
    for mark in text:
        if unicodedata.combining(mark) or mark in "\u200d\ufe0f":
            continue
        wide = unicodedata.east_asian_width(mark) in ("W", "F")
        total += 1.05 if wide else 0.34 if mark in " .,:;'|ijl!()[]" else 0.6
    return total * size


def fitted(text: str, width: float, size: float) -> str:
    """The text, shortened with an ellipsis where it would be wider than `width`."""
    if advance(text, size) <= width:
        return text
    while text and advance(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"
