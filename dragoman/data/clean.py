"""Cleans a text in the few ways that change nothing a reader sees, and names every change and every odd character."""

import re
import unicodedata
from dataclasses import dataclass

__all__ = ["CHANGES", "Cleaned", "clean"]

CHANGES = {
    "trimmed": "white space at an end was cut",
    "normalised": "characters were composed (Unicode NFC)",
    "control": "holds control characters",
    "invisible": "holds zero-width characters",
    "bidi": "holds characters that change the direction of writing",
}
CONTROL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# The joiners U+200C and U+200D are left out: Persian, Indic scripts and emoji are written with them.
INVISIBLE = re.compile("[\u00ad\u200b\u2060-\u2064\ufeff\U000e0000-\U000e007f]")
BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A text after cleaning, and the names of what was changed or is odd about it (keys of CHANGES)."""

    text: str
    found: tuple[str, ...] = ()


def clean(text: str) -> Cleaned:
    """The text in NFC without white space at its ends. Control, invisible and bidi characters stay and are named."""
    if text.isascii():
        trimmed = text.strip()
        found = ["trimmed"] if len(trimmed) < len(text) else []
        if CONTROL.search(trimmed):
            found.append("control")
        return Cleaned(trimmed, tuple(found))
    composed = unicodedata.normalize("NFC", text)
    trimmed = composed.strip()
    checks = (
        ("trimmed", len(trimmed) < len(composed)),
        ("normalised", composed != text),
        ("control", CONTROL.search(trimmed)),
        ("invisible", INVISIBLE.search(trimmed)),
        ("bidi", BIDI.search(trimmed)),
    )
    return Cleaned(trimmed, tuple(name for name, holds in checks if holds))
