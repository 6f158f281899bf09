"""Finds texts that are the same or nearly the same, and same texts with different labels.

Near means: the sets of 5-character shingles overlap by the threshold (Jaccard), or, from eight different words on,
half of them do and the sets of words overlap by the threshold. Candidates come from MinHash with banding (Broder 1997;
Leskovec, Rajaraman and Ullman, ch. 3) and every one is verified on the real sets: an estimate makes no false alarm.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dragoman.core.errors import UserError
from dragoman.core.types import Example

__all__ = [
    "Overlap",
    "canonical",
    "conflicts",
    "exact",
    "forget",
    "groups",
    "joined",
    "near",
    "overlap",
    "same_name",
    "similarity",
    "unique",
    "words_of",
]

SHINGLE = 5
WORDS_ENOUGH = 8  # in shorter sentences one other word is another sentence
SHINGLES_ALSO = 0.5  # the same words in another order are another text
PERMUTATIONS = 128
SEED = 20251  # of the MinHash permutations; nothing that is drawn depends on it
SLACK = 0.2  # candidates may lie this far under the threshold: an overlap in words can be one of fewer shingles
MISSED = 0.02  # the share of pairs at that lower bound which banding may miss; at the threshold it is below 1e-6
CHUNK = 2000  # texts whose shingles are held at a time
BUCKET = 64  # neighbours compared in one bucket
WORD = re.compile(r"\w+")
Hashes = NDArray[np.uint64]


def canonical(text: str) -> str:
    """What two texts must share to be exact duplicates: their characters in NFC, case and white space aside."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def words_of(example: Example) -> str:
    """What makes an example the same as another: what the user says in it, or its answer where nobody asks."""
    return example.text if example.prompt else next(iter(example.answers), "")


def exact(texts: Sequence[str]) -> list[list[int]]:
    """The groups of two or more rows with the same canonical text, each in order."""
    found: dict[str, list[int]] = defaultdict(list)
    for index, text in enumerate(texts):
        found[canonical(text)].append(index)
    return [rows for rows in found.values() if len(rows) > 1]


def _words(text: str) -> list[str]:
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


@lru_cache(maxsize=4096)
def _word_set(text: str) -> frozenset[str]:
    return frozenset(_words(text))


@lru_cache(maxsize=4096)
def _shingles(text: str) -> Hashes:
    """The sorted hashes of all 5-character pieces of the words of a text; of the text itself when it has no words."""
    plain = " ".join(_words(text)) or canonical(text)
    codes = np.frombuffer(plain.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    codes = np.pad(codes, (0, max(0, SHINGLE - len(codes))))
    count = len(codes) - SHINGLE + 1
    hashes = np.full(count, 14695981039346656037, dtype=np.uint64)  # FNV-1a over code points
    for offset in range(SHINGLE):
        hashes = (hashes ^ codes[offset : offset + count]) * np.uint64(1099511628211)
    return np.unique(hashes)


def similarity(one: str, other: str) -> float:
    """How near two texts are, 0 to 1: the Jaccard overlap of their shingles, or of their words if both have enough."""
    first, second = _shingles(one), _shingles(other)
    shared = len(np.intersect1d(first, second, assume_unique=True))
    near_by = shared / (len(first) + len(second) - shared)
    words, others = _word_set(one), _word_set(other)
    if near_by >= SHINGLES_ALSO and min(len(words), len(others)) >= WORDS_ENOUGH:
        return max(near_by, len(words & others) / len(words | others))
    return near_by


def forget() -> None:
    """Let go of what `similarity` remembers of the texts it has seen: ten times their size, for thousands of them."""
    _word_set.cache_clear()
    _shingles.cache_clear()


def _digests(texts: Sequence[str]) -> NDArray[np.uint32]:
    try:
        from rensa import RMinHash
    except ImportError:
        raise UserError("near duplicates need rensa, which is not installed", 'pip install "dragoman[data]"') from None
    parts = []
    for start in range(0, len(texts), CHUNK):
        sets = [_shingles.__wrapped__(text) for text in texts[start : start + CHUNK]]
        ends = np.cumsum([0, *map(len, sets)], dtype=np.uint64)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(np.concatenate(sets), ends, PERMUTATIONS, SEED)
        parts.append(np.array(matrix.to_rows(), dtype=np.uint32))
    return np.concatenate(parts)


def _band_rows(threshold: float) -> int:
    """The most rows a band that still misses no more than MISSED of the pairs at the lower bound."""
    low = max(0.05, threshold - SLACK)
    fits = [rows for rows in range(1, 33) if (1 - low**rows) ** (PERMUTATIONS // rows) <= MISSED]
    return max(fits, default=1)


def _candidates(digests: NDArray[np.uint32], threshold: float) -> Iterator[tuple[int, int]]:
    rows = _band_rows(threshold)
    seen: set[tuple[int, int]] = set()
    for band in range(PERMUTATIONS // rows):
        keys = np.ascontiguousarray(digests[:, band * rows : (band + 1) * rows]).view(f"V{4 * rows}").ravel()
        buckets: dict[bytes, list[int]] = defaultdict(list)
        for index, key in enumerate(keys.tolist()):
            for other in buckets[key][-BUCKET:]:
                if (other, index) not in seen:
                    seen.add((other, index))
                    yield other, index
            buckets[key].append(index)


def near(texts: Sequence[str], threshold: float = 0.8) -> list[tuple[int, int, float]]:
    """The pairs of rows that are near but not exact duplicates, with their similarity, in order.

    `threshold` is a Jaccard overlap from 0 to 1. Of rows with the same canonical text the first stands for all.
    Raises UserError when rensa is not installed.
    """
    first = list({canonical(text): index for index, text in reversed(list(enumerate(texts)))}.values())[::-1]
    if len(first) < 2:
        return []
    kept = [texts[index] for index in first]
    digests = _digests(kept)
    found = []
    for one, other in _candidates(digests, threshold):
        # An estimate far under the lower bound (five standard errors of 0.044) is not worth the real comparison.
        if np.count_nonzero(digests[one] == digests[other]) / PERMUTATIONS < threshold - SLACK - 0.2:
            continue
        alike = similarity(kept[one], kept[other])
        if alike >= threshold:
            found.append((min(first[one], first[other]), max(first[one], first[other]), alike))
    return sorted(found)


def groups(
    texts: Sequence[str],
    threshold: float = 0.8,
    given: Sequence[str] = (),
    bonds: Iterable[tuple[int, int]] = (),
) -> list[int]:
    """For each row the first row of its group: exact and near duplicates, rows of one `given` name, and the two rows
    of each of the `bonds`, are one group.

    `given` is empty or holds one name a row; an empty name binds to nothing.
    """
    pairs = [(rows[0], other) for rows in exact(texts) for other in rows[1:]]
    pairs += [(one, other) for one, other, _ in near(texts, threshold)]
    return joined(len(texts), [*pairs, *same_name(given), *bonds])


def same_name(names: Sequence[str]) -> list[tuple[int, int]]:
    """The pairs of rows of one name, each row with the first; an empty name binds to nothing."""
    first: dict[str, int] = {}
    return [(first.setdefault(name, index), index) for index, name in enumerate(names) if name]


def joined(rows: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """For each row the first row of its group, where each pair of rows, and what follows from several, is one group."""
    root = list(range(rows))

    def find(index: int) -> int:
        while root[index] != index:
            root[index] = root[root[index]]
            index = root[index]
        return index

    for one, other in pairs:
        low, high = sorted((find(one), find(other)))
        root[high] = low
    return [find(index) for index in range(rows)]


def conflicts(examples: Sequence[Example]) -> list[list[int]]:
    """The groups of rows that have the same canonical text and not the same labels."""
    found = exact([words_of(example) for example in examples])
    return [rows for rows in found if len({frozenset(examples[row].answers) for row in rows}) > 1]


def unique(examples: Iterable[Example]) -> tuple[list[Example], int]:
    """The examples without those whose canonical text, whole prompt and answers have been seen before, and how many
    those were."""
    every = list(examples)
    kept = {_identity(example): example for example in reversed(every)}
    return list(kept.values())[::-1], len(every) - len(kept)


def _identity(example: Example) -> tuple[str, tuple[str, ...], tuple[str, ...] | frozenset[str], str, str]:
    # Two dialogues may differ in what the system or the assistant says; a single question is its text alone.
    others = tuple(f"{one.role}: {canonical(one.content)}" for one in example.prompt if one.role != "user")
    answers = example.answers if "words" in example.meta else frozenset(example.answers)  # tags have an order
    return canonical(words_of(example)), others, answers, example.rejected, str(example.meta.get("good", ""))


@dataclass(frozen=True, slots=True)
class Overlap:
    """Which rows of another part stand in training: pairs (training row, other row), near ones with the similarity."""

    exact: tuple[tuple[int, int], ...]
    near: tuple[tuple[int, int, float], ...]
    rows: int

    @property
    def near_share(self) -> float:
        """The share of the other part's rows that have a near duplicate in training."""
        return len({other for _, other, _ in self.near}) / max(1, self.rows)


def overlap(train: Sequence[str], other: Sequence[str], threshold: float = 0.8) -> Overlap:
    """The rows that two parts share, exactly and nearly."""
    seen: dict[str, list[int]] = defaultdict(list)
    for index, text in enumerate(train):
        seen[canonical(text)].append(index)
    same = tuple((mine, index) for index, text in enumerate(other) for mine in seen.get(canonical(text), ()))
    already = {index for _, index in same}
    # One text of each kind a part is enough to find the pairs; every row with that text is then named.
    theirs: dict[str, list[int]] = defaultdict(list)
    for index, text in enumerate(other):
        if index not in already:
            theirs[canonical(text)].append(index)
    mine_first = [rows[0] for rows in seen.values()]
    their_first = [rows[0] for rows in theirs.values()]
    texts = [train[index] for index in mine_first] + [other[index] for index in their_first]
    border = len(mine_first)
    alike = []
    for low, high, value in near(texts, threshold):
        if low < border <= high:
            for mine in seen[canonical(train[mine_first[low]])]:
                for index in theirs[canonical(other[their_first[high - border]])]:
                    alike.append((mine, index, value))
    return Overlap(same, tuple(sorted(alike)), len(other))
