"""Tiny models for tests: an embedder that counts words and a language model that prefers the label it reads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dragoman.core.doors import Per, Prompt
from dragoman.core.sampling import Completion, Sampling


@dataclass(frozen=True)
class WordEmbedder:
    """One direction a known word; a text is the sum of its words, made length 1."""

    words: tuple[str, ...]

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of shape [texts, words + 1]; the last number keeps unknown words from being nothing."""
        counts = np.array([[text.split().count(word) for word in self.words] + [0.1] for text in texts])
        return (counts / np.linalg.norm(counts, axis=1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True)
class ReadingModel:
    """Gives a label that stands in the prompt `sure` times the probability of one that does not."""

    sure: float = 9.0
    independent: bool = False

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """Repeats the prompt."""
        return [Completion(prompt[-1].content) for prompt in prompts]

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """Repeats the prompt."""
        yield prompt[-1].content

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """Log-probabilities of shape [prompts, options]."""
        here = np.array([[option in prompt[-1].content.split() for option in options] for prompt in prompts])
        if self.independent:
            return np.log(np.where(here, self.sure / (1 + self.sure), 1 / (1 + self.sure)))
        weights = np.where(here, self.sure, 1.0)
        return np.log(weights / weights.sum(axis=1, keepdims=True))
