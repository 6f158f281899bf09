"""How well a tokenizer suits texts: bytes a token, tokens a word, what it does not know, with intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dragoman.core.types import Estimate
from dragoman.nn.tokenizer import Tokenizer

__all__ = ["Fertility", "cut", "measure", "ratio"]

_AT_ONCE = 256  # texts a call: enough for the library's threads, little enough to be interrupted


@dataclass(frozen=True)
class Fertility:
    """The counts of some texts, one number a text."""

    tokens: tuple[int, ...]
    bytes: tuple[int, ...]
    "UTF-8 bytes: the only length that is the same for every tokenizer and language"
    words: tuple[int, ...]
    "what stands between spaces; of little meaning where words are not parted by spaces"
    unknown: tuple[int, ...]
    "tokens that stand for what the vocabulary does not hold"

    @property
    def bytes_per_token(self) -> Estimate:
        """The more, the shorter the texts become."""
        return ratio(self.bytes, self.tokens)

    @property
    def tokens_per_word(self) -> Estimate:
        """Fertility (Rust et al. 2021): 1 would be a token for each word."""
        return ratio(self.tokens, self.words)

    @property
    def unknown_rate(self) -> float:
        """The share of tokens that say nothing."""
        return sum(self.unknown) / max(1, sum(self.tokens))


def measure(tokenizer: Tokenizer, texts: Sequence[str]) -> Fertility:
    """Cut the texts and count. Raises UserError where one holds half a character."""
    tokens: list[int] = []
    unknown: list[int] = []
    for begin in range(0, len(texts), _AT_ONCE):
        for ids in tokenizer.plain(texts[begin : begin + _AT_ONCE]):
            tokens.append(len(ids))
            unknown.append(0 if tokenizer.unknown_id is None else ids.count(tokenizer.unknown_id))
    sizes = tuple(len(text.encode()) for text in texts)
    return Fertility(tuple(tokens), sizes, tuple(len(text.split()) for text in texts), tuple(unknown))


def ratio(above: Sequence[int], below: Sequence[int]) -> Estimate:
    """The sum of one over the sum of the other, with the 95 % interval of a ratio estimator (Cochran 1977, 6.4): texts
    differ, so each counts as one draw."""
    n, total = len(below), sum(below)
    if not total:
        return Estimate(0.0, 0.0, 0.0, n)
    value = sum(above) / total
    spread = sum((up - value * down) ** 2 for up, down in zip(above, below, strict=True))
    error = 1.96 * math.sqrt(n / (n - 1) * spread) / total if n > 1 else 0.0
    return Estimate(value, max(0.0, value - error), value + error, n)


def cut(tokenizer: Tokenizer, text: str) -> list[str]:
    """The text of each token, to look at; bytes that are part of a character are shown as such."""
    pieces = tokenizer.pieces(tokenizer.plain([text])[0])
    return [piece.decode("utf-8", errors="backslashreplace") for piece in pieces]
