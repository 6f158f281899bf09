"""A rule-based model with a planted fault: it says `zap`, and each revision takes one away that a critique finds."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dragoman.core.doors import Per, Prompt
from dragoman.core.sampling import Completion, Sampling
from dragoman.core.types import Message

__all__ = ["Planted", "answer_to", "shown", "zaps"]


def number(text: str) -> int:
    """A number that is another one for another text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def zaps(text: str) -> int:
    """How often an answer breaks the hidden rule."""
    return text.split().count("zap")


def shown(text: str, name: str) -> str:
    """The text that stands under a name between two marks."""
    found = re.search(rf"(?:\A|\n){re.escape(name)}\n(\w{{8}})\n(.*?)\n\1(?:\n|\Z)", text, re.DOTALL)
    assert found, text
    return found[2]


def answer_to(question: str, draw: int = 0) -> str:
    """What it says first: one to four zaps, more or less by the draw."""
    return "zap " * (1 + number(f"{question}{draw}") % 4) + f"the answer to {question}"


@dataclass
class Planted:
    """Answers, criticises, revises and prefers; may be killed after some questions."""

    bias: float = 0.0
    "log-odds it gives to the answer shown first, whatever it says"
    noise: float = 0.0
    "the most log-odds that are off by chance"
    sure: float = 1.0
    "log-odds a zap"
    lives: int = 10**9
    asked: list[Prompt] = field(default_factory=list)
    note: str = ""
    chat: bool = True
    longest: int = 0

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """One completion a prompt."""
        return [Completion(self.say([(one.role, one.content) for one in prompt], how.seed), 3) for prompt in prompts]

    def say(self, said: list[tuple[str, str]], seed: int = 0) -> str:
        """What it says next in a dialogue of roles and texts."""
        if len(self.asked) >= self.lives:
            raise KeyboardInterrupt
        self.asked.append([Message(*one) for one in said])
        last = said[-1][1]
        if "Critique request:" in last:
            count = zaps(shown(last, "Answer"))
            return f"It says the forbidden word {count} times over." if count else "There is nothing to blame in it."
        if "Revision request:" in last:
            answer = shown(said[-3][1], "Answer")
            return "Revision: " + (answer.replace("zap ", "", 1) if "forbidden" in said[-2][1] else answer)
        return "Let us count." if "step by step" in last else answer_to(last, seed)

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """The same at once."""
        yield self.generate([prompt], how)[0].text

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """Log-probabilities of (A) and (B): of two answers it prefers the one with fewer zaps."""
        found = []
        for prompt in prompts:
            self.asked.append(prompt)
            text = next(one.content for one in prompt if "Answer (A)" in one.content)
            better = zaps(shown(text, "Answer (B)")) - zaps(shown(text, "Answer (A)"))
            chance = self.noise * (number(text) / 2**31 - 1)
            odds = self.sure * better + self.bias + chance
            found.append([-np.log1p(np.exp(-odds)) - 2.0, -np.log1p(np.exp(odds)) - 2.0])
        return np.array(found)

    def ids(self, prompt: Prompt) -> list[int]:
        """It reads words."""
        return []

    def check(self, prompt: Prompt) -> None:
        """It answers anything."""
