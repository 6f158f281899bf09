"""Which documents of a source are kept out of training, decided once for all of them, and what of each is left."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from dragoman.data.doubles import KEPT, Parts

__all__ = ["Kept", "Share", "choose_share"]

MANY = 1000  # documents from which on a share of them is near to that share of the text


@dataclass(frozen=True)
class Share:
    """The documents of a source that are for validation: those below a bound, or named ones, and the end of one."""

    bound: int = 0
    named: tuple[int, ...] = ()
    cut: int = -1
    "The document whose end is for validation; -1 for none."
    cut_bytes: int = 0
    "How many bytes of it, about."

    def unseen(self, document: int, place: int) -> bool:
        """Whether a whole document is for validation; `place` is the number drawn from its text."""
        return place < self.bound or document in self.named


@dataclass(frozen=True)
class Kept:
    """What is left of the documents of all parts after doubles were found."""

    documents: Parts
    flags: NDArray[np.uint8]
    pieces: Parts
    piece_flags: NDArray[np.uint8] | None
    "None where paragraphs were not compared."

    def sizes(self, part: int) -> NDArray[np.int64]:
        """[documents] the bytes that are left of each document of a part; 0 for one that is gone."""
        begin, end = self.documents.offsets[part : part + 2].tolist()
        found = np.load(self.documents.folders[part] / "pieces.npy", mmap_mode="r", allow_pickle=False)
        sizes = np.diff(found[:, 1], prepend=0)
        if self.piece_flags is not None:
            sizes = sizes * (self.piece_flags[slice(*self.pieces.offsets[part : part + 2].tolist())] == KEPT)
        whole = np.bincount(found[:, 0], weights=sizes, minlength=end - begin).astype(np.int64)
        kept: NDArray[np.int64] = whole * (self.flags[begin:end] == KEPT)
        return kept

    def places(self, part: int) -> NDArray[np.uint64]:
        """[documents] the number drawn from each text."""
        found: NDArray[np.uint64] = np.load(self.documents.folders[part] / "places.npy", mmap_mode="r")
        return found


def choose_share(kept: Kept, parts: Sequence[int], share: float) -> Share:
    """The validation documents of the source that these parts hold.

    A number drawn from the text decides, so that copies stay together and the choice is the same each time. Of few
    documents, whole ones are taken in the order of their numbers while they fit into the share of bytes; where that
    gives less than half of it, the end of one document completes it.
    """
    many = sum(int(np.count_nonzero(kept.sizes(part))) for part in parts)
    if many > MANY:
        return Share(bound=int(share * 2**64))
    found = sorted(_listed(kept, parts))
    wanted = share * sum(size for _, _, size in found)
    named: list[int] = []
    taken, spare = 0, -1
    for _, copies in groupby(found, key=lambda one: one[0]):  # equal texts have equal numbers
        alike = list(copies)
        size = sum(size for _, _, size in alike)
        if taken + size <= wanted:
            named += [document for _, document, _ in alike]
            taken += size
        elif spare < 0 and len(alike) == 1:
            spare = alike[0][1]
    if taken >= wanted / 2 or spare < 0:
        return Share(named=tuple(named))
    return Share(named=tuple(named), cut=spare, cut_bytes=max(1, round(wanted - taken)))


def _listed(kept: Kept, parts: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    for part in parts:
        sizes, places = kept.sizes(part), kept.places(part)
        first = int(kept.documents.offsets[part])
        for place in np.flatnonzero(sizes).tolist():
            yield int(places[place]), first + place, int(sizes[place])
