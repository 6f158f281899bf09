"""A text of words as a tagger reads it: which tokens stand for which word, window by window."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from dragoman.core.errors import UserError
from dragoman.nn.tokenizer import Tokenizer
from dragoman.nn.windows import spread

__all__ = ["Reading", "read_words", "words_of"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One window of a text: what is read, and where in it the words stand that are answered for here.

    `places[i]` is where in `ids` the first token of word number `words[i]` stands.
    """

    ids: tuple[int, ...]
    places: tuple[int, ...]
    words: tuple[int, ...]


def words_of(text: str) -> list[str]:
    """The words of a text: what stands between single spaces, so that the tags of a text are as many as its words."""
    return text.split(" ")


def read_words(tokenizer: Tokenizer, texts: Sequence[str], max_length: int) -> list[list[Reading]]:
    """The windows of each text, of at most `max_length` tokens with the special ones.

    A text is cut into tokens whole, as the model was pretrained on texts, and a token belongs to the word in which it
    begins. A word that gives no token, such as one of control characters, stands in no window. Raises UserError where
    max_length leaves no room for a word.
    """
    before, after = tokenizer.around
    room = max_length - len(before) - len(after)
    if room < 1:
        raise UserError(f"max_length {max_length} leaves no room for a word", "give it more: models.max_length=64")
    found = []
    for text, (ids, spans) in zip(texts, tokenizer.locate(texts), strict=True):
        firsts = _firsts(text, spans)
        windows, done = [], 0  # both the words and the windows stand in the order of the text
        for window in spread(len(ids), room):
            begun = done
            while done < len(firsts) and firsts[done][1] < window.end:
                done += 1
            here = firsts[begun:done]
            places = tuple(len(before) + token - window.first for _, token in here)
            row = (*before, *ids[window.first : window.last], *after)
            windows.append(Reading(row, places, tuple(word for word, _ in here)))
        found.append(windows)
    return found


def _firsts(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Each word's number and its first token, in the order of the tokens."""
    starts = [0, *accumulate(len(word) + 1 for word in words_of(text)[:-1])]
    firsts: dict[int, int] = {}
    for token, (begin, end) in enumerate(spans):
        if begin < end:  # a token of nothing but white space is no word's
            firsts.setdefault(bisect_right(starts, begin) - 1, token)
    return list(firsts.items())
