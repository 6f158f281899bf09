"""The terms of a text that are searched: words without stop words, cut to their stems; of Chinese and Japanese, pairs.

Stems are Snowball's (Porter, 2001). The word list of English is the one of 33 words that Lucene takes. The scripts that
write no spaces are searched by overlapping pairs of letters.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import Any

from dragoman.core.errors import UserError

__all__ = ["STEMMERS", "Words", "guess", "stop_words"]

STEMMERS = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hi": "hindi",
    "hu": "hungarian",
    "id": "indonesian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
"Snowball's name of each language, by its code of ISO 639-1"
READ = 4000  # characters of which the language is guessed
FEW = 0.08  # the least share of stop words: running text has 0.25 to 0.5, a list of names next to none
# Marks that belong to the letter before them and are no letters themselves: accents, the points of Hebrew and Arabic,
# the vowel signs of India (without its full stops U+0964 and U+0965), those of Thai, and the two joiners.
MARKS = (
    "\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u064b-\u065f\u0670\u06d6-\u06dc\u0900-\u0903\u093a-\u0963"
    "\u0981-\u0983\u09bc-\u09e3\u0a01-\u0a75\u0a81-\u0ae3\u0b01-\u0b63\u0b82-\u0bd7\u0c00-\u0c63\u0c81-\u0ce3"
    "\u0d00-\u0d63\u200c\u200d"
)
# Thai, Lao, Burmese and Khmer with their marks; kana, Han (its rare letters included) and the syllables of Korean.
UNSPACED = (
    "\u0e01-\u0e4e\u0e81-\u0ece\u1000-\u109f\u1780-\u17d3\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\U00020000-\U0003ffff"
)
PIECE = re.compile(rf"[{UNSPACED}]+|[^\W_{UNSPACED}](?:[^\W_{UNSPACED}]|[{MARKS}])*")
FIRST = "\u0e01"
APART = re.compile(rf"[{UNSPACED}]")


@cache
def stop_words(language: str) -> frozenset[str]:
    """The words of a language that are not searched; none for a language without a list."""
    return _lists().get(language, frozenset())


@cache
def _lists() -> dict[str, frozenset[str]]:
    lines = resources.files("dragoman.rag").joinpath("stopwords.txt").read_text(encoding="utf-8").splitlines()
    return {line.split()[0]: frozenset(line.split()[1:]) for line in lines if line.strip()}


def _pieces(text: str) -> list[str]:
    """The words of a text in small letters, and its runs of letters without spaces."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    found: list[str] = PIECE.findall(text.lower())
    return found


def guess(text: str) -> str:
    """The language of a text by its commonest words, as a code of ISO 639-1; empty where they do not tell."""
    words = _pieces(text[:READ])
    if not words:
        return ""
    shares = {name: sum(word in listed for word in words) / len(words) for name, listed in _lists().items()}
    best = max(shares, key=lambda name: shares[name])
    return best if shares[best] >= FEW else ""


class Words:
    """Turns texts into terms, for one language after the other. Two with the same settings agree on every text."""

    def __init__(self, stemmer: str | None = None, stop: Iterable[str] | None = None) -> None:
        """`stemmer` is Snowball's name of one (`porter`, `english`; empty for none) and `stop` the words left out; None
        is what the language of each text has."""
        self.stemmer = stemmer
        self.stop = None if stop is None else frozenset(stop)
        self._stems: dict[str, Any] = {}

    def __call__(self, text: str, language: str = "en") -> list[str]:
        """The terms of a text in their order. Raises UserError where the stemmer is not installed."""
        left_out = stop_words(language) if self.stop is None else self.stop
        words: list[str] = []
        plain: list[int] = []
        for piece in _pieces(text):
            if piece[0] >= FIRST and APART.match(piece):
                words += [piece[at : at + 2] for at in range(max(len(piece) - 1, 1))]
            elif piece not in left_out:
                plain.append(len(words))
                words.append(piece)
        name = STEMMERS.get(language, "") if self.stemmer is None else self.stemmer
        if name and plain:
            for at, stem in zip(plain, self._stemmed(name, [words[at] for at in plain]), strict=True):
                words[at] = stem
        return words

    def any(self, text: str, languages: Sequence[str]) -> list[str]:
        """The terms of a question to documents in several languages: of each word, its stem in every one."""
        if len(languages) == 1:
            return self(text, languages[0])
        found: list[str] = []
        for piece in _pieces(text):
            every = (term for language in languages for term in self(piece, language))
            found += dict.fromkeys(every)
        return found

    def _stemmed(self, name: str, words: list[str]) -> list[str]:
        if name not in self._stems:
            self._stems[name] = _stemmer(name)
        stems: list[str] = self._stems[name].stemWords(words)
        return stems


def _stemmer(name: str) -> Any:
    try:
        import Stemmer
    except ImportError as error:
        raise UserError(
            "words are searched by their stems, and PyStemmer is not installed", "pip install 'dragoman[rag]'"
        ) from error
    if name not in Stemmer.algorithms():
        raise UserError(f"there is no stemmer '{name}'", f"one of: {', '.join(Stemmer.algorithms())}")
    return Stemmer.Stemmer(name)
