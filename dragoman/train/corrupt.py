"""Texts with holes: what a masked language model and an encoder-decoder learn to fill.

Masked words (BERT, Devlin et al. 2018), drawn anew at every pass (RoBERTa, Liu et al. 2019), and spans that become one
sentinel each (T5, Raffel et al. 2020, section 3.1.4).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["IGNORED", "Spans", "corrupt_documents", "corrupt_spans", "mask_words", "raw_length", "words_of"]

IGNORED = -100
"the label of a place that is not learnt from, as torch's cross entropy has it"

Ids = NDArray[np.int64]


def mask_words(
    ids: Ids,
    fixed: NDArray[np.bool_],
    mask_id: int,
    words: Ids,
    dice: np.random.Generator,
    share: float = 0.15,
    inner: NDArray[np.bool_] | None = None,
) -> tuple[Ids, Ids]:
    """The ids with holes, and the labels, both of the shape of `ids`.

    A `share` of the places that are not `fixed` (special tokens, padding) is chosen, each by its own luck. Of those
    80 % become the mask, 10 % one of `words` (every id that is no special token) and 10 % stay, so that a state is
    worth something where nothing is masked. Labels are the true ids at the chosen places and IGNORED elsewhere.
    `inner` is True on tokens that go on with the word before them, in a row of one dimension: then whole words are
    chosen, and each of their tokens has its own luck.
    """
    lots = dice.random(ids.shape)
    if inner is not None:
        begins = ~inner | fixed
        begins[:1] = True
        lots = lots[np.flatnonzero(begins)][np.cumsum(begins) - 1]  # every token has the lot of its word's first
    chosen = (lots < share) & ~fixed
    luck = dice.random(ids.shape)
    holes = np.where(chosen & (luck < 0.8), mask_id, ids)
    drawn = words[dice.integers(len(words), size=ids.shape)]
    holes = np.where(chosen & (luck >= 0.8) & (luck < 0.9), drawn, holes)
    return holes, np.where(chosen, ids, IGNORED)


def words_of(tokens: Sequence[str]) -> NDArray[np.bool_]:
    """Which tokens of a vocabulary, as they are written in its file, go on with the word before them.

    WordPiece marks those with ##; byte-level BPE and Unigram mark the others, with a space that is shown as \u0120 or
    \u2581. Without any mark every token is a word.
    """
    if any(token.startswith("##") for token in tokens):
        return np.array([token.startswith("##") for token in tokens], dtype=bool)
    if any(token.startswith(("\u0120", "\u2581")) for token in tokens):
        return np.array([token[:1].isalnum() for token in tokens], dtype=bool)
    return np.zeros(len(tokens), dtype=bool)


@dataclass(frozen=True)
class Spans:
    """How much of a text is taken out, in pieces of which length."""

    density: float = 0.15
    "share of the tokens that are taken out"
    mean: float = 3.0
    "tokens of a span on average"

    def counts(self, length: int) -> tuple[int, int]:
        """Tokens taken out of a text of that length, and in how many spans; between two there is always a token.

        Raises ValueError for a text of fewer than two tokens: one is kept and one is taken.
        """
        if length < 2:
            raise ValueError(f"a text of {length} tokens has nothing to take out and to keep")
        taken = min(max(round(length * self.density), 1), length - 1)
        spans = min(max(round(taken / self.mean), 1), taken, length - taken)
        return taken, spans

    def lengths(self, length: int) -> tuple[int, int]:
        """Tokens of the input and of the target made of a text of that length, sentinels and ends included."""
        taken, spans = self.counts(length)
        return length - taken + spans + 1, taken + spans + 1


def raw_length(inputs: int, how: Spans) -> tuple[int, int]:
    """The longest text whose input fits into `inputs` tokens, and the length of its target: 512 gives 568 and 114."""
    length = 2
    while how.lengths(length + 1)[0] <= inputs:
        length += 1
    return length, how.lengths(length)[1]


def corrupt_spans(
    ids: Sequence[int], first_sentinel: int, end_id: int, dice: np.random.Generator, how: Spans, sentinels: int = 100
) -> tuple[list[int], list[int]]:
    """The input (what is kept, a sentinel for each span, the end) and the target (each sentinel, its span, the end).

    Sentinels count down from `first_sentinel`, the last id of T5's vocabulary. The first token is always kept. Raises
    ValueError where the text needs more spans than there are `sentinels` (T5 has 100: some 2,000 tokens).
    """
    taken, spans = how.counts(len(ids))
    if spans > sentinels:
        raise ValueError(f"a text of {len(ids)} tokens needs {spans} sentinels, and there are {sentinels}")
    kept = _parts(len(ids) - taken, spans, dice)
    gone = _parts(taken, spans, dice)
    inputs: list[int] = []
    target: list[int] = []
    place = 0
    for number, (stay, go) in enumerate(zip(kept, gone, strict=True)):
        sentinel = first_sentinel - number
        inputs += [*ids[place : place + stay], sentinel]
        target += [sentinel, *ids[place + stay : place + stay + go]]
        place += stay + go
    return [*inputs, end_id], [*target, end_id]


def corrupt_documents(
    ids: Ids, documents: Ids, first_sentinel: int, end_id: int, dice: np.random.Generator, how: Spans, sentinels: int
) -> tuple[Ids, Ids, Ids, Ids]:
    """Every document of a packed row with gaps of its own: inputs, whose document each token is, targets, and theirs.

    A piece of a document that is one token long is taken out whole. Of a piece that needs more spans than there are
    sentinels, the part that does not is taken for one document and the rest for the next.
    """
    made: list[tuple[list[int], list[int]]] = []
    begins = np.flatnonzero(np.diff(documents, prepend=documents[0] - 1))
    for start, stop in zip(begins, [*begins[1:], len(ids)], strict=True):
        for low in range(start, stop, longest := _longest(sentinels, how)):
            piece = ids[low : min(low + longest, stop)].tolist()
            if len(piece) > 1:
                made.append(corrupt_spans(piece, first_sentinel, end_id, dice, how, sentinels))
            else:
                made.append(([first_sentinel, end_id], [first_sentinel, *piece, end_id]))
    inputs, targets = (np.array([token for one in made for token in one[side]], dtype=np.int64) for side in (0, 1))
    owners = [np.repeat(np.arange(len(made)), [len(one[side]) for one in made]) for side in (0, 1)]
    return inputs, owners[0], targets, owners[1]


def _longest(sentinels: int, how: Spans) -> int:
    """The most tokens of a text that needs no more spans than there are sentinels."""
    return max(2, int(sentinels * how.mean / how.density) - 1)


def _parts(total: int, count: int, dice: np.random.Generator) -> list[int]:
    """A total cut into so many parts of at least one, every way as likely as any other."""
    cuts = np.sort(dice.choice(total - 1, size=count - 1, replace=False)) + 1
    return [int(part) for part in np.diff([0, *cuts, total])]
