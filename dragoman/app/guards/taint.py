"""Text of documents as a value of its own: it is shown to a model as evidence, and never becomes an order or a tool
call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dragoman.app.turn import Turn
from dragoman.core.types import Message

__all__ = ["Show", "Taint", "Tainted", "composed", "taint_of"]

Show = Callable[[str], str]
"how others' words are marked, such as `Marks.shown`"


@dataclass(frozen=True, slots=True)
class Tainted:
    """Text that somebody else wrote. It cannot be put into another text by mistake: that raises TypeError."""

    _text: str = field(repr=False)
    source: str = ""

    def read(self) -> str:
        """The text itself, for what marks, searches or compares it."""
        return self._text

    def __str__(self) -> str:
        raise TypeError(f"text of {self.source or 'a document'} is put into a prompt by composed() alone")

    def __format__(self, how: str) -> str:
        return str(self)


@dataclass(frozen=True, slots=True)
class Taint:
    """What a model has read when it asks for a tool: the words of who asks, and the words of documents."""

    trusted: str = ""
    "what the user and the system said"
    untrusted: tuple[Tainted, ...] = ()
    "what documents and tools said"

    @property
    def present(self) -> bool:
        """Whether anything that somebody else wrote was read; from then on all that the model writes is tainted."""
        return any(one.read().strip() for one in self.untrusted)

    def and_read(self, text: str, source: str = "") -> "Taint":
        """The taint after one more text was read, such as the result of a tool."""
        return Taint(self.trusted, (*self.untrusted, Tainted(text, source)))


def taint_of(turn: Turn) -> Taint:
    """What a turn's model reads: passages and messages of role `tool` are others' words, all else is trusted.

    A question of role `tool` is others' words too. The assistant's own messages are neither: where anything was read
    they may be made of it.
    """
    trusted = [one.content for one in turn.messages if one.role in ("system", "user")]
    told = [Tainted(one.content, "tool") for one in turn.messages if one.role == "tool"]
    if turn.role == "tool":
        told.append(Tainted(turn.question, "tool"))
    else:
        trusted.append(turn.question)
    read = [Tainted(one.chunk.embedded, one.chunk.source) for one in turn.passages]
    return Taint("\n".join(trusted), (*told, *read))


def composed(role: str, parts: Sequence[str | Tainted], show: Show | None = None) -> Message:
    """A message of own words and others'. Others' words stand in it as `show` marks them, and never in a system or an
    assistant message: that raises TypeError, as they do where nothing marks them."""
    others = any(isinstance(part, Tainted) for part in parts)
    if others and role in ("system", "assistant"):
        raise TypeError(f"text of documents cannot stand in a message of role {role}")
    if others and show is None:
        raise TypeError("text of documents stands in a message only as something marks it")
    said = (show(part.read()) if isinstance(part, Tainted) and show else str(part) for part in parts)
    return Message(role, "".join(said))
