"""Texts found by their words: BM25 (Robertson et al., 1994) over stems, in memory, one text added after the other."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from dragoman.rag.dense import highest
from dragoman.rag.postings import Postings
from dragoman.rag.words import Words

__all__ = ["Lexical"]


class Lexical:
    """BM25 over texts of one language. Texts are numbered from 0 in the order they are added."""

    def __init__(
        self,
        stemmer: str | None = None,
        language: str = "en",
        stop: Iterable[str] | None = None,
        k1: float = 1.2,
        b: float = 0.75,
    ) -> None:
        """`stemmer` is Snowball's name of one (`porter`, `english`; empty for none) and `stop` the words left out; None
        is what the language has."""
        self.words = Words(stemmer, stop)
        self.language = language
        self._terms: dict[str, int] = {}
        self._postings = Postings(k1, b)

    def __len__(self) -> int:
        """The texts there have ever been."""
        return len(self._postings)

    def terms(self, text: str) -> list[str]:
        """What of a text is searched."""
        return self.words(text, self.language)

    def add(self, texts: Sequence[str]) -> range:
        """Take in texts; their numbers."""
        first, ids = len(self._postings), self._terms
        counted = [Counter(self.terms(text)) for text in texts]
        rows = [np.array([ids.setdefault(term, len(ids)) for term in one], dtype=np.int32) for one in counted]
        self._postings.add(rows, [np.array(list(one.values()), dtype=np.int32) for one in counted])
        return range(first, len(self._postings))

    def remove(self, numbers: Sequence[int]) -> None:
        """Let texts count for nothing from now on; the others keep their numbers."""
        self._postings.remove(numbers)

    def scores(self, query: str) -> NDArray[np.float32]:
        """The score of every text, of shape [texts]; 0 where it holds no word of the query, or was removed."""
        return self._postings.scores([self._terms[term] for term in self.terms(query) if term in self._terms])

    def best(self, query: str, k: int = 10) -> list[tuple[int, float]]:
        """Number and score of the best `k` texts that hold a word of the query; of equals the first stays first."""
        scores = self.scores(query)
        return [(int(row), float(scores[row])) for row in highest(scores, k) if scores[row] > 0]
