"""What a program may use while it runs, and what came of it."""

from dataclasses import dataclass
from typing import Any

__all__ = ["Limits", "Outcome"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use; whatever wants more is ended, and the outcome says of what."""

    seconds: float = 5.0
    "of wall clock, from the moment it is compiled"
    memory: int = 256 << 20
    "bytes of address space, Python's own (about 40 MB) among them"
    output: int = 64 << 10
    "bytes that it may print"
    result: int = 64 << 10
    "bytes of its answer, as JSON"
    program: int = 64 << 10
    "bytes of its own text"
    files: int = 32
    "descriptors that it may hold at once; modules are read through them"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program printed and left behind. What it says is as true as what its author says: it is data, no more."""

    finished: bool
    "it ran to its end, with exit status 0, and nothing of what it did went over a limit"
    value: Any = None
    "what its variable `answer` held, as JSON knows it; numbers that JSON lacks, such as nan, are texts"
    answered: bool = False
    "whether there was a variable `answer`"
    printed: str = ""
    "what it printed, up to the limit"
    problem: str = ""
    "why it did not finish, in one line that can be shown to its author"
    seconds: float = 0.0
    "from its start to its end, Python's start included"

    @property
    def text(self) -> str:
        """The answer as a text: the variable `answer`, or where there is none the last line that was printed."""
        if self.answered:
            return _text(self.value)
        lines = [line.strip() for line in self.printed.splitlines() if line.strip()]
        return lines[-1] if lines else ""


def _text(value: Any) -> str:
    """Whole numbers without a fraction, so that 3.0 and 3 are one answer."""
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return str(value).strip()
