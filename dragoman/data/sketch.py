"""Sketches of many texts at once: what near duplicates nearly always share, in a few numbers a text.

One permutation hashing (Li, Owen and Zhang 2012): the hashes of all 5-character pieces of the words of a text fall into
128 bins and each bin keeps its least, which costs one pass where 128 permutations cost 128; an empty bin takes the
value of another, the same for every text (Shrivastava 2017). Two texts agree in a bin as often as their sets of pieces
overlap (Jaccard). Bins are joined in bands (Leskovec, Rajaraman and Ullman, ch. 3): texts that agree in a whole band
are candidates, to be held against each other on the real texts.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from dragoman.data.letters import DIGIT, IDEOGRAPH, LETTER, PLANE, Letters

__all__ = ["BINS", "EMPTY", "band_rows", "bands", "sketch"]

BINS = 128
SHINGLE = 5
MISSED = 0.02  # the share of pairs at the threshold that banding may miss
PIECE = 1 << 16  # characters that are hashed at a time: their arrays stay in the cache of the processor
EMPTY = np.uint32(0xFFFFFFFF)
Sketches = NDArray[np.uint32]


def sketch(letters: Letters, starts: NDArray[np.int64]) -> Sketches:
    """[pieces, 128] the sketch of each piece of the texts; `starts` are where the pieces begin, in characters, and
    ascend.

    Case, and what stands between words, do not count. A piece with fewer than five characters of words is all EMPTY.
    """
    folded = _folded(letters)
    kept = folded != 32
    kept[1:] |= folded[:-1] != 32  # one space stays between two words
    places = np.flatnonzero(kept)
    owner = np.searchsorted(places, starts)  # where each piece begins among the characters that are kept
    codes = folded[places]
    bins = np.full(len(starts) * BINS, EMPTY, np.uint32)
    for begin in range(0, len(codes), PIECE):
        block = codes[begin : begin + PIECE + SHINGLE - 1]
        if len(block) < SHINGLE:
            break
        hashes = _hashes(block)
        at = np.arange(begin, begin + len(hashes))
        piece = np.searchsorted(owner, at, side="right") - 1
        last = np.append(owner[1:], len(codes))
        inside = at + SHINGLE <= last[piece]  # no shingle reaches into the next piece
        where = (piece * BINS + (hashes >> np.uint32(25)).astype(np.int64))[inside]
        np.minimum.at(bins, where, hashes[inside])
    return bins.reshape(-1, BINS)


def bands(sketches: Sketches, rows: int) -> NDArray[np.uint64]:
    """[texts, 128 // rows] one key a band: texts with a key in common are candidates. `sketches` are filled in place.

    A text whose sketch is EMPTY gives keys like any other such text: leave it out before.
    """
    _fill(sketches)
    count = BINS // rows
    keys = np.zeros((len(sketches), count), np.uint64)
    for band in range(count):
        key = np.full(len(sketches), band + 1, np.uint64)
        for column in range(band * rows, (band + 1) * rows):
            key = (key ^ sketches[:, column]) * np.uint64(0x9E3779B97F4A7C15)
            key ^= key >> np.uint64(29)
        keys[:, band] = key
    return keys


def band_rows(threshold: float) -> int:
    """The most rows a band that still misses no more than MISSED of the pairs at the threshold."""
    fits = [rows for rows in range(1, 33) if (1 - threshold**rows) ** (BINS // rows) <= MISSED]
    return max(fits, default=1)


def _folded(letters: Letters) -> NDArray[np.uint32]:
    """Small letters for large ones, and a space for all that is no letter and no digit."""
    codes = letters.codes
    folded = _small()[codes] if not len(codes) or int(codes.max()) < PLANE else _far(codes)
    word = (letters.kinds == LETTER) | (letters.kinds == DIGIT) | (letters.kinds == IDEOGRAPH)
    return np.where(word, folded, np.uint32(32))


def _far(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    return np.where(codes < PLANE, _small()[np.minimum(codes, PLANE - 1)], codes)


@cache
def _small() -> NDArray[np.uint32]:
    """The small form of each character of the first plane that has one of one character."""
    small = [chr(code).lower() for code in range(PLANE)]
    return np.array([ord(text) if len(text) == 1 else code for code, text in enumerate(small)], np.uint32)


def _hashes(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """[characters - 4] a hash of every five characters in a row: of two, of two such twos, of these and the last."""
    two = codes[:-1] * np.uint32(0x9E3779B1) ^ codes[1:]
    two *= np.uint32(0x85EBCA6B)
    two ^= two >> np.uint32(13)
    four = two[:-2] * np.uint32(0xC2B2AE35) ^ two[2:]
    five = four[:-1] * np.uint32(0x27D4EB2F) ^ codes[4:]
    five *= np.uint32(0x85EBCA6B)
    five ^= five >> np.uint32(15)
    five *= np.uint32(0x9E3779B1)
    five ^= five >> np.uint32(16)
    return five


def _fill(sketches: Sketches) -> None:
    """Give each empty bin the value of a full one, looked for in an order that only the bin decides."""
    empty = sketches == EMPTY
    rows, columns = np.nonzero(empty & ~empty.all(1, keepdims=True))
    which, seat = np.unique(rows, return_inverse=True)
    given = sketches[which]
    for order in np.random.default_rng(20251).integers(0, BINS, (16 * BINS, BINS)):
        if not len(rows):
            return
        found = given[seat, order[columns]]
        full = found != EMPTY
        sketches[rows[full], columns[full]] = found[full]
        rows, columns, seat = rows[~full], columns[~full], seat[~full]
