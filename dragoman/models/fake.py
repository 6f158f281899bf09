"""Models that cost nothing and always answer the same: for tests, and for trying an application without a model."""

import hashlib
import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dragoman.core.doors import Per, Prompt
from dragoman.core.sampling import Completion, Sampling

__all__ = ["FakeEmbedder", "FakeLM"]


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:8], "big")


class FakeLM:
    """Prefers the option whose words stand in the prompt, and breaks ties by a hash: right often enough to be useful.

    `answer` is what it writes where it has no labels to choose among.
    """

    def __init__(self, labels: Sequence[str] = (), multi_label: bool = False, answer: str = "a fake answer") -> None:
        self.labels = tuple(labels)
        self.multi_label = multi_label
        self.note, self.chat, self.longest = "", True, 0
        self._answer = answer

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """Log-probabilities of shape [prompts, options]; they sum to one over the options unless it is multi-label.

        An option counts as one token of one byte: `per` changes nothing.
        """
        points = np.array(
            [[self._points(prompt, option) for option in options] for prompt in prompts], dtype=np.float64
        )
        points = points.reshape(len(prompts), len(options))
        if self.multi_label:
            alone: NDArray[np.float64] = -np.log1p(np.exp(-points))
            return alone
        shared: NDArray[np.float64] = points - np.log(np.exp(points).sum(1, keepdims=True))
        return shared

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """The preferred label of each prompt, or the fixed answer, cut to how.max_tokens words, how.n times."""
        if self.labels:
            best = self.score(prompts, self.labels).argmax(1)
            return [Completion(self.labels[index], tokens=1) for index in best for _ in range(how.n)]
        words = self._answer.split()
        kept = words[: how.max_tokens]
        return [
            Completion(" ".join(kept), len(kept), "stop" if kept == words else "length")
            for _ in range(len(prompts) * how.n)
        ]

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """The same completion, word by word."""
        for position, word in enumerate(self.generate([prompt], how)[0].text.split(" ")):
            yield word if position == 0 else f" {word}"

    def ids(self, prompt: Prompt) -> list[int]:
        """It reads words, not ids: []."""
        return []

    def check(self, prompt: Prompt) -> None:
        """It answers anything."""

    def _points(self, prompt: Prompt, option: str) -> float:
        text = " ".join(message.content for message in prompt).lower()
        named = sum(word in text for word in re.findall(r"\w+", option.lower()))
        return 3.0 * named - 1.0 + (_number(f"{text}\0{option}") % 1000) / 1000


class FakeEmbedder:
    """Hashes the words of a text into a vector of length 1: texts that share words lie close to each other."""

    def __init__(self, width: int = 32) -> None:
        self.width = width

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One unit vector a text, of shape [texts, width]."""
        vectors = np.zeros((len(texts), self.width), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()) or [""]:
                number = _number(word)
                vectors[row, number % self.width] += 1.0 if number & (1 << 60) else -1.0
            if not vectors[row].any():
                vectors[row, 0] = 1.0
        unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit
