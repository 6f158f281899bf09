"""A language model for tests that writes what it is told to, and remembers what it was asked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dragoman.core.doors import Per, Prompt
from dragoman.core.sampling import Completion, Sampling

__all__ = ["Scribe"]


@dataclass(frozen=True)
class Scribe:
    """Answers the last message with what is given for it, else with the message itself."""

    answers: dict[str, Completion] = field(default_factory=dict)
    asked: list[tuple[Prompt, Sampling]] = field(default_factory=list)

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """One completion a prompt."""
        self.asked.extend((prompt, how) for prompt in prompts)
        return [self.answers.get(prompt[-1].content, Completion(prompt[-1].content, 3)) for prompt in prompts]

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """The same at once."""
        yield self.generate([prompt], how)[0].text

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """All alike."""
        return np.zeros((len(prompts), len(options)))
