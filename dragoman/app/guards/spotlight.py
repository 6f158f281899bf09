"""A language model that sees the text of documents marked, whichever step asks it, and answers without the marks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from dragoman.app.guards.datamark import CLOSE, OPEN, How, Marks, new_marks
from dragoman.app.passages import Passage, named, said
from dragoman.app.steps.write import written
from dragoman.core.doors import LM, Per, Prompt
from dragoman.core.hidden import hidden_text
from dragoman.core.sampling import Completion, Sampling
from dragoman.core.types import Message

__all__ = ["Spotlight", "evidence"]

SHORT = 20  # letters: a shorter text of a document is no evidence where it stands in our own system message


def evidence(passages: Sequence[Passage]) -> tuple[str, ...]:
    """What of passages may stand in a prompt, the longest first: name and text as `shown` writes them, or either."""
    found = []
    for one in passages:
        name, text = said(named(one.chunk)), said(one.chunk.text).strip()
        found += [f"{name}\n{text}", text, one.chunk.text.strip(), one.chunk.text]
    return tuple(sorted({text for text in found if text.strip()}, key=lambda text: (-len(text), text)))


@dataclass(frozen=True)
class Spotlight:
    """Marks the texts of documents in each prompt, and whole messages of role `tool`, with a token of its own; says in
    the system message what the marks mean; takes them out of what is written. A step need not know of it."""

    lm: LM
    texts: tuple[str, ...] = ()
    "what is marked where it stands, as `evidence` gives it"
    how: How = "datamark"
    marked: set[str] = field(default_factory=set)
    "the texts that stood in a prompt: filled as prompts come"

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """What the model writes to the marked prompts, without the marks; what it cannot read is refused."""
        marks = [self._marks(prompt) for prompt in prompts]
        shown = [self.prompt(prompt, one) for prompt, one in zip(prompts, marks, strict=True)]
        made = written(shown, self.lm, how) if how.n == 1 else self.lm.generate(shown, how)
        return [_without(one, marks[row // how.n]) for row, one in enumerate(made)]

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """What the model writes, piece by piece; what may be the beginning of a mark is held back."""
        marks, held = self._marks(prompt), ""
        longest = max(len(marks.begin), len(marks.end), 64)
        for piece in self.lm.stream(self.prompt(prompt, marks), how):
            held += piece
            cut = held.rfind(OPEN)
            whole = cut < 0 or len(held) - cut > longest or CLOSE in held[cut:]
            ready = len(held) if whole else cut
            if ready:
                yield marks.without(held[:ready])
                held = held[ready:]
        if held:
            yield marks.without(held)

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """The log-probabilities of the options after the marked prompts."""
        return self.lm.score([self.prompt(prompt, self._marks(prompt)) for prompt in prompts], options, per)

    def prompt(self, prompt: Prompt, marks: Marks) -> Prompt:
        """The prompt as the model sees it; as it is where nothing in it is a document's."""
        shown = [self._message(message, marks) for message in prompt]
        if shown == list(prompt):
            return prompt
        before = shown.pop(0).content if shown[0].role == "system" else ""
        return (Message("system", f"{before}\n\n{marks.rule}".lstrip()), *shown)

    def _marks(self, prompt: Prompt) -> Marks:
        return new_marks((*self.texts, *(message.content for message in prompt)), self.how)

    def _message(self, message: Message, marks: Marks) -> Message:
        if message.role == "tool":
            return Message("tool", marks.shown(hidden_text(message.content).text))
        pieces: list[tuple[str, bool]] = [(message.content, False)]  # and whether it is marked already
        for text in self.texts:
            if message.role == "system" and len(text) < SHORT:
                continue
            if not any(text in piece for piece, done in pieces if not done):
                continue
            self.marked.add(text)
            pieces = [
                one
                for piece, done in pieces
                for one in (((piece, True),) if done else _split(piece, text, marks.shown(hidden_text(text).text)))
            ]
        return Message(message.role, "".join(piece for piece, _ in pieces))


def _split(piece: str, text: str, shown: str) -> list[tuple[str, bool]]:
    parts = piece.split(text)
    found = [(parts[0], False)]
    for part in parts[1:]:
        found += [(shown, True), (part, False)]
    return found


def _without(one: Completion, marks: Marks) -> Completion:
    return replace(one, text=marks.without(one.text)) if marks.opening in one.text else one
