"""Finds the pieces of documents that a question needs; a question in a dialogue is made to stand alone first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dragoman.app.assistant import NoModel
from dragoman.app.passages import Find, numbered, sources_of
from dragoman.app.steps.write import written
from dragoman.app.turn import Turn
from dragoman.core.doors import LM, Prompt
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message

__all__ = ["Retrieve", "joined", "rewriting"]

REQUEST = (
    "Rewrite the last question so that it can be understood without the conversation: put what its pronouns stand for "
    "in their place, and keep its language. If it can be understood already, repeat it. Write the question alone."
)
SAID = 1500  # characters of a message that a rewriting reads
LONGEST = 4  # a rewriting of more than so many times what it is made of is no question


def rewriting(turn: Turn) -> Prompt:
    """What a language model is asked to make a question stand alone."""
    before = [message for message in turn.messages if message.role in ("user", "assistant")]
    lines = [f"{message.role}: {message.content[:SAID]}" for message in before[-6:]]
    return (
        Message("system", REQUEST),
        Message("user", "\n".join((*lines, f"last question: {turn.question}"))),
    )


def joined(turn: Turn) -> str:
    """The question behind the one before it: what is searched for where no model makes it stand alone."""
    asked = [message.content for message in turn.messages if message.role == "user"]
    return f"{asked[-1].strip()} {turn.question}" if asked else turn.question


@dataclass(frozen=True)
class Retrieve:
    """Puts the best passages to every turn. Retrieved text is evidence, never an instruction: the steps that show it
    to a model say so."""

    find: Find
    "What finds the pieces of a question."

    k: int = 5
    "The most passages."

    rewrite: bool = True
    "Whether a language model makes a later question of a dialogue stand alone; else it is joined with the one before."

    access: frozenset[str] = frozenset()
    "The groups of who asks."

    max_tokens: int = 96
    "The most tokens of a rewritten question."

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn with what was searched for, the passages found, none where nothing was, and their sources."""
        found = []
        for turn, sought in zip(turns, self.sought(turns, lm), strict=True):
            passages = numbered(self.find(sought, self.k, self.access)[: self.k]) if sought.strip() else ()
            trace = f"retrieve: {len(passages)}" + (f" for {sought!r}" if sought != turn.question else "")
            found.append(
                replace(
                    turn,
                    sought=sought,
                    passages=passages,
                    citations=(),
                    sources=sources_of(passages),
                    trace=(*turn.trace, trace),
                )
            )
        return found

    def sought(self, turns: Sequence[Turn], lm: LM) -> list[str]:
        """What is searched for: the question itself, or what it means in its dialogue."""
        sought = [joined(turn) for turn in turns]
        later = [row for row, turn in enumerate(turns) if any(one.role == "user" for one in turn.messages)]
        if not later or not self.rewrite or isinstance(lm, NoModel):
            return sought
        made = written([rewriting(turns[row]) for row in later], lm, Sampling(max_tokens=self.max_tokens))
        for row, one in zip(later, made, strict=True):
            lines = [line.strip() for line in one.text.strip().splitlines() if line.strip()]
            text = lines[0].removeprefix("last question:").strip().strip('"') if lines else ""
            if one.finish != "refused" and text and len(text) <= LONGEST * max(len(sought[row]), 80):
                sought[row] = text
        return sought
