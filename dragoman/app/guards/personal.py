"""Takes personal data out of what is asked and what is answered, and puts back what who asks has said."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Address", "Find", "Finding", "Masked", "addresses", "mask_personal"]

IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\w)")
IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(?![\w:])")


class Finding(Protocol):
    """Where in a text something personal stands, and of which kind."""

    @property
    def kind(self) -> str:
        """Such as `e-mail`."""
        ...

    @property
    def start(self) -> int:
        """Its first character."""
        ...

    @property
    def end(self) -> int:
        """The one behind its last."""
        ...


Find = Callable[[str], Sequence[Finding]]
"finds what is personal, in order and without overlap: e-mails, telephone, card and account numbers, secrets"


@dataclass(frozen=True, slots=True)
class Address:
    """An IP address in a text."""

    start: int
    end: int
    kind: str = "ip-address"


@dataclass(frozen=True, slots=True)
class Masked:
    """A text with names such as `[e-mail 1]` in the place of what is personal, and what each name stands for."""

    text: str
    held: Mapping[str, str] = field(default_factory=dict)

    def restored(self, text: str) -> str:
        """An answer with what the names stand for: what who asks has said may be said to them."""
        return re.sub(r"\[[a-z-]+ \d+\]", lambda found: self.held.get(found[0], found[0]), text)


def addresses(text: str) -> list[Address]:
    """The IP addresses of a text, versions 4 and 6, but those of the machine itself and of no machine."""
    found = []
    for pattern in (IPV4, IPV6):
        for match in pattern.finditer(text):
            word = match[0].rstrip(".:") if not match[0].endswith("::") else match[0]
            try:
                address = ipaddress.ip_address(word)
            except ValueError:
                continue
            if not address.is_loopback and not address.is_unspecified:
                found.append(Address(match.start(), match.start() + len(word)))
    return found


def mask_personal(text: str, find: Find, known: str = "", start: Mapping[str, str] | None = None) -> Masked:
    """The text without what is personal: of what `find` finds and of IP addresses, all that does not stand in `known`,
    which is what may be said. The same value gets the same name; `start` holds the names that values have already."""
    spans: list[Finding] = []
    for one in (*find(text), *addresses(text)):
        if not any(other.start < one.end and one.start < other.end for other in spans):
            spans.append(one)
    names = dict(start or {})
    held = {name: value for value, name in names.items()}
    pieces, at = [], 0
    taken = set(re.findall(r"\[[a-z-]+ \d+\]", f"{text} {known}"))
    for span in sorted(spans, key=lambda one: one.start):
        value = text[span.start : span.end]
        if value in known:
            continue
        if value not in names:
            names[value] = _name(span.kind, (*held, *taken))
            held[names[value]] = value
        pieces += [text[at : span.start], names[value]]
        at = span.end
    return Masked("".join((*pieces, text[at:])), held)


def _name(kind: str, taken: Iterable[str]) -> str:
    number, used = 1, set(taken)
    while f"[{kind} {number}]" in used:
        number += 1
    return f"[{kind} {number}]"
