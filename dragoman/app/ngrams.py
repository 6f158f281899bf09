"""Vectors of texts from the letters in them: near where texts share words and parts of words, without any model."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ngrams"]

WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Ngrams:
    """Counts of words and of three letters in a row, hashed into `width` places (Weinberger et al. 2009), behind the
    Embedder door. The root of each count is taken, so that one word said often is not all that counts."""

    width: int = 1024
    "Numbers of a vector."

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One unit vector a text, of shape [texts, width], in the order given; a text without a word is 0."""
        found = np.zeros((len(texts), self.width), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in WORD.findall(text.lower()):
                marked = f" {word} "
                pieces = [word, *(marked[place : place + 3] for place in range(len(marked) - 2))]
                for piece in pieces:
                    found[row, zlib.crc32(piece.encode()) % self.width] += 1.0
        found = np.sqrt(found)
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        unit: NDArray[np.float32] = np.divide(found, lengths, out=np.zeros_like(found), where=lengths > 0)
        return unit
