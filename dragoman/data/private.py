"""Finds hints of secrets and personal data in texts, and masks them, so that no message or report prints one whole."""

import re
from dataclasses import dataclass

__all__ = ["SECRETS", "Hint", "hints", "mask"]


@dataclass(frozen=True, slots=True)
class Hint:
    """Where in a text something private may stand, and of which kind."""

    kind: str
    start: int
    end: int


SECRETS = ("private-key", "access-key", "token", "password")
PATTERNS: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    # kind, a piece every hit contains (so that most texts cost one search), the pattern
    ("private-key", "PRIVATE KEY", re.compile(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[A-Za-z0-9+/=\s]*")),
    ("access-key", "A", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{35}")),
    ("token", "_", re.compile(r"\b(?:gh[pousr]|github_pat|hf)_[A-Za-z0-9_]{30,255}")),
    ("token", "-", re.compile(r"\b(?:sk|xox[abprs]|glpat)-[A-Za-z0-9_-]{20,255}")),
    ("token", "eyJ", re.compile(r"\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{5,2000}")),
    (
        "password",
        "",
        re.compile(
            r"(?i)\b(?:password|passwd|secret|api[_-]?key)\s{0,3}[:=]\s{0,3}['\"]?(?=[^\s'\"]{0,60}\d)[^\s'\"]{8,60}"
        ),
    ),
    ("e-mail", "@", re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}\b")),
    ("card-number", "", re.compile(r"(?<![\d.-])[3-6]\d{3}(?:[ -]?\d){9,15}(?![\d.-]?\d)")),
    ("social-security-number", "-", re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])")),
    ("iban", "", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")),
    (
        "phone-number",
        "",
        re.compile(
            r"(?<![\w.+])\+\d{1,3}(?:[ .()-]{0,2}\d{2,4}){2,5}(?!\d)"
            r"|(?<![\w.-])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?![\w-])"
        ),
    ),
)
DIGIT = re.compile(r"\d")


def hints(text: str) -> list[Hint]:
    """What may be private in a text, in order and without overlap: the kinds of PATTERNS. Hints, not proof."""
    found: list[Hint] = []
    numbers = bool(DIGIT.search(text))
    for kind, piece, pattern in PATTERNS:
        if piece not in text or (not piece and not numbers):
            continue
        for match in pattern.finditer(text):
            if _real(kind, match[0]) and not any(
                hint.start < match.end() and match.start() < hint.end for hint in found
            ):
                found.append(Hint(kind, match.start(), match.end()))
    return sorted(found, key=lambda hint: hint.start)


def mask(text: str) -> str:
    """The text with all but the first two characters of each hint replaced by its kind."""
    for hint in reversed(hints(text)):
        text = f"{text[: hint.start]}{text[hint.start : hint.start + 2]}...[{hint.kind}]{text[hint.end :]}"
    return text


def _real(kind: str, text: str) -> bool:
    if kind == "card-number":
        return _luhn([int(digit) for digit in text if digit.isdigit()])
    if kind == "iban":
        return _iban(text.replace(" ", ""))
    return True


def _luhn(digits: list[int]) -> bool:
    """The check digit of payment cards (ISO/IEC 7812-1): one number in ten passes by chance, so hits stay hints."""
    if len(set(digits)) < 2:
        return False
    doubled = [
        digit if place % 2 == 0 else (2 * digit - 9 if digit > 4 else 2 * digit)
        for place, digit in enumerate(digits[::-1])
    ]
    return sum(doubled) % 10 == 0


def _iban(text: str) -> bool:
    """The check digits of a bank account (ISO 13616): the number modulo 97 is 1."""
    return int("".join(str(int(character, 36)) for character in text[4:] + text[:4])) % 97 == 1
