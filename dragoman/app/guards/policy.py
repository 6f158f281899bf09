"""Which tools may be called, and by what: a text that somebody else wrote can call none."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from dragoman.app.guards.taint import Taint, Tainted
from dragoman.core.errors import UserError

__all__ = ["Call", "Policy", "Powers", "Slot", "Verdict", "check_powers"]

WORD = re.compile(r"\w+")
ARITHMETIC = re.compile(r"[0-9 .,+*/%()^-]{1,200}")
LONGEST = 200  # characters of a slot that takes words


@dataclass(frozen=True, slots=True)
class Slot:
    """What an argument may be once documents were read: a value of a closed type, which carries no order.

    `number` (finite), `truth`, `date` (ISO 8601), `choice` (one of `options`), `arithmetic` (digits and signs), or
    `asked`: words that the user said.
    """

    kind: str
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in ("number", "truth", "date", "choice", "arithmetic", "asked"):
            raise ValueError(f"there is no slot of kind {self.kind}")

    def takes(self, value: object, trusted: str) -> bool:
        """Whether a value fits; `trusted` is what the user said. A value of documents, as `Tainted`, is read first."""
        if isinstance(value, Tainted):
            value = value.read()
        if self.kind == "truth":
            return isinstance(value, bool)
        if self.kind == "number":
            return _number(value)
        if not isinstance(value, str):
            return False
        if self.kind == "date":
            return _date(value)
        if self.kind == "arithmetic":
            return ARITHMETIC.fullmatch(value) is not None
        if self.kind == "choice":
            return value in self.options
        return _asked(value, trusted)


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that a model asks for, by name, with its arguments."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a call may be made, and where not, why: words that a model may read as the result."""

    allowed: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """Which tools one request may call. By default documents that were read leave none.

    Where a model has read a document nobody can tell whose words it repeats, so all that it writes then is taken as the
    document's (the conservative end of CaMeL, Debenedetti et al. 2025, 2503.18813). What is held here is held by code
    and not by the model's goodwill.
    """

    allowed: frozenset[str] = frozenset()
    "the tools of this request; a call of any other is refused"
    after_documents: Mapping[str, Mapping[str, Slot]] = field(default_factory=dict)
    "tools without effect that may be called after a document was read, and the slot of each of their arguments"

    def judge(self, call: Call, taint: Taint) -> Verdict:
        """Whether a call may be made by a model that has read this."""
        if call.tool not in self.allowed:
            return Verdict(False, f"there is no tool {call.tool[:40]!r} here")
        carried = [name for name, value in call.arguments.items() if _carries(value)]
        if not taint.present and not carried:
            return Verdict(True)
        slots = self.after_documents.get(call.tool)
        if slots is None:
            return Verdict(False, f"{call.tool} is not called once a document was read")
        for name, value in call.arguments.items():
            slot = slots.get(name)
            if slot is None:
                return Verdict(False, f"{call.tool} has no slot for {name[:40]!r} once a document was read")
            if not slot.takes(value, taint.trusted):
                return Verdict(False, f"{name} of {call.tool} must be a {slot.kind} once a document was read")
        return Verdict(True)


@dataclass(frozen=True, slots=True)
class Powers:
    """What an assistant can do, for the rule of two."""

    reads_untrusted: bool = False
    "whether it reads text that somebody else wrote: documents, pages, mail"
    reads_private: bool = False
    "whether it reads what is not everybody's"
    acts_outside: bool = False
    "whether it changes or sends anything"
    person_confirms: bool = False
    "whether a person says yes to each effect"


def check_powers(powers: Powers) -> None:
    """The rule of two: untrusted text, private data, effects outside: at most two of them without a person who says
    yes. Raises UserError where all three come together."""
    if powers.person_confirms or not (powers.reads_untrusted and powers.reads_private and powers.acts_outside):
        return
    raise UserError(
        "this assistant reads text that others wrote, reads private data, and acts outside: a document could send "
        "the data away",
        "take one of the three away, or let a person confirm each effect",
    )


def _carries(value: object) -> bool:
    """Whether text of documents stands anywhere in a value."""
    if isinstance(value, Tainted):
        return True
    if isinstance(value, Mapping):
        return any(_carries(one) for pair in value.items() for one in pair)
    return isinstance(value, list | tuple | set | frozenset) and any(_carries(one) for one in value)


def _number(value: object) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, str):
        return re.fullmatch(r"[+-]?\d{1,15}(\.\d{1,15})?", value, re.ASCII) is not None
    return isinstance(value, int | float) and math.isfinite(value) and abs(value) < 1e300


def _date(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _asked(value: str, trusted: str) -> bool:
    """Whether the words stand in what the user said, in this order and next to each other."""
    wanted, said = WORD.findall(value.casefold()), WORD.findall(trusted.casefold())
    if not wanted or len(value) > LONGEST or re.sub(r"[\w\s.,?!'-]", "", value):
        return False
    return any(said[at : at + len(wanted)] == wanted for at in range(len(said) - len(wanted) + 1))
