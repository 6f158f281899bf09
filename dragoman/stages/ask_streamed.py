"""Shows an answer from documents while a model writes it: each sentence once it was held against them."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from dragoman.app.assistant import Assistant, moved_on
from dragoman.app.guards.datamark import CLOSE, OPEN, Marks
from dragoman.app.steps.contradict import Contradict
from dragoman.app.steps.ground import statements
from dragoman.app.steps.guard import Guard
from dragoman.app.turn import Turn
from dragoman.core.doors import Per, Prompt, WritingLM
from dragoman.core.sampling import Completion, Sampling
from dragoman.core.show import visible

__all__ = ["Aloud", "Paper", "Said", "streamed"]

BRACKETS = "[\N{LEFT BLACK LENTICULAR BRACKET}\N{FULLWIDTH LEFT SQUARE BRACKET}"
TOKEN = re.compile(rf"{OPEN}([a-z]+):begin{CLOSE}")


def streamed(assistant: Assistant, lm: WritingLM, asked: Prompt, out: TextIO) -> Turn:
    """The finished turn of a question, whose text was written to `out` as its sentences were finished and checked.

    `assistant` is one of `shelf.answering`, over `lm`. What was shown is taken back by nobody: a sentence is shown once
    the steps that check an answer let it stand, and where they think otherwise of the whole, the whole is shown again.
    """
    place = next(number for number, step in enumerate(assistant.steps) if isinstance(step, Guard))
    turns = moved_on([Turn.of(asked)], assistant.steps[:place], lm)
    checks = [step for step in assistant.steps[place:] if not isinstance(step, Contradict)]  # which reads the whole
    paper = Paper(out)

    def heard(text: str) -> None:
        (part,) = moved_on(turns, checks, Said(text))
        if not part.refused:
            paper.show(part.answer.text)

    (turn,) = moved_on(turns, assistant.steps[place:], Aloud(lm, heard))
    paper.close(turn.answer.text)
    return turn


@dataclass
class Paper:
    """What was shown of a text that grows."""

    out: TextIO
    shown: str = ""

    def show(self, text: str) -> None:
        """Show what a text goes on with; nothing where it says something else than what stands there already."""
        if text.startswith(self.shown):
            self.out.write(visible(text[len(self.shown) :]))
            self.out.flush()
            self.shown = text

    def close(self, text: str) -> None:
        """Show the rest of the whole, or, where it is another one than what was shown, the whole."""
        if not text.startswith(self.shown):
            self.out.write("\n\n")
            self.shown = ""
        self.show(text)
        self.out.write("\n")
        self.out.flush()


@dataclass(frozen=True)
class Said:
    """A language model that has written what is given, whatever it is asked."""

    text: str

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """The text, once a prompt."""
        return [Completion(self.text)] * len(prompts)

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """The text at once."""
        yield self.text

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """All alike: nothing is chosen by it."""
        return np.zeros((len(prompts), len(options)))


class Aloud:
    """A language model that reads out what it has written so far, each time a sentence of it is over."""

    def __init__(self, lm: WritingLM, heard: Callable[[str], None]) -> None:
        self.note, self.chat, self.longest = lm.note, lm.chat, lm.longest
        self._lm, self._heard = lm, heard

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """One completion a prompt, as its pieces come; how many tokens they had is not known."""
        return [self._read_out(prompt, how) for prompt in prompts]

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """As the model does."""
        return self._lm.stream(prompt, how)

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """As the model does."""
        return self._lm.score(prompts, options, per)

    def ids(self, prompt: Prompt) -> list[int]:
        """As the model does."""
        return self._lm.ids(prompt)

    def check(self, prompt: Prompt) -> None:
        """As the model does."""
        self._lm.check(prompt)

    def _read_out(self, prompt: Prompt, how: Sampling) -> Completion:
        token = next((hit[1] for message in prompt if (hit := TOKEN.search(message.content))), "")
        text, over = "", 0
        for piece in self._lm.stream(prompt, how):
            text += piece
            plain = Marks(token).without(text) if token else text  # as the guard will read it
            spans = statements(plain)
            # The last sentence may go on, and what opens a bracket may cite for the one before it.
            if len(spans) - 1 > over and plain[spans[-1][0]] not in BRACKETS:
                over = len(spans) - 1
                self._heard(plain[: spans[over - 1][1]])
        return Completion(text)
