"""One block of raw documents becomes a part on disk: cleaned, filtered and masked texts, and what tells their doubles.

A part is a folder that stands on its own, so that parts are made by many processes in any order and a killed job goes
on from those that are whole. What must be known of all documents (which stand twice) is decided later, from the keys.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dragoman.data.dedupe import canonical
from dragoman.data.language import hint
from dragoman.data.letters import CONTROL, Letters, look
from dragoman.data.masked import mask_all
from dragoman.data.paragraphs import paragraphs
from dragoman.data.plain import plain
from dragoman.data.quality import Quality, judge
from dragoman.data.sketch import EMPTY, band_rows, bands, sketch

__all__ = ["EXAMPLES", "Keys", "Rules", "key_names", "refine"]

EXAMPLES = 3  # documents that are shown for each filter
SHOWN = 100  # characters of one
BATCH = 1 << 19  # characters that are looked at together: arrays of some megabytes


@dataclass(frozen=True)
class Rules:
    """What is done to each document; a worker needs nothing else."""

    clean: bool = True
    quality: Quality = field(default_factory=Quality)
    languages: tuple[str, ...] = ()
    mask: str = "all"
    near: float = 0.8
    paragraph: int = 200


@dataclass(frozen=True)
class Keys:
    """Keys of units (documents or paragraphs of one part), sorted: units with one key are the same or candidates."""

    keys: NDArray[np.uint64]
    units: NDArray[np.uint32]

    @staticmethod
    def sorted(keys: NDArray[np.uint64], units: NDArray[np.uint32]) -> "Keys":
        """The keys in order; a unit may have several."""
        order = np.argsort(keys, kind="stable")
        return Keys(keys[order], units[order])

    def save(self, folder: Path, name: str) -> None:
        """Write NAME.keys.npy and NAME.units.npy."""
        np.save(folder / f"{name}.keys.npy", self.keys)
        np.save(folder / f"{name}.units.npy", self.units)

    @staticmethod
    def open(folder: Path, name: str) -> "Keys":
        """The same, mapped."""
        return Keys(_mapped(folder / f"{name}.keys.npy"), _mapped(folder / f"{name}.units.npy"))


def key_names(rules: Rules) -> list[str]:
    """The kinds of keys that a part holds under these rules."""
    near = rules.near < 1
    return [
        "documents",
        *["documents-near"] * near,
        *(["paragraphs", *["paragraphs-near"] * near] if rules.paragraph else []),
    ]


def refine(texts: Sequence[str], rules: Rules, folder: Path) -> dict[str, Any]:
    """Write the part of some raw documents into an empty folder, and give its facts.

    text.bin: the UTF-8 of all kept documents, ends.npy: [documents] the byte where each ends, places.npy: [documents]
    a number drawn from its canonical text, pieces.npy: [paragraphs, 2] the document of each and the byte where it ends,
    and the sorted keys of `key_names`.
    """
    work = _Work(rules)
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= BATCH:
            work.add(batch)
            batch, size = [], 0
    if batch:
        work.add(batch)
    return work.write(folder)


class _Work:
    """A part while it grows."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.read = self.read_bytes = 0
        self.dropped: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}
        self.changed: Counter[str] = Counter()
        self.masked: Counter[str] = Counter()
        self.languages: Counter[str] = Counter()
        self.raw: list[bytes] = []
        self.bounds: list[int] = []
        self.digests: list[int] = []
        self.pieces: list[tuple[int, int]] = []
        self.piece_digests: list[tuple[int, int]] = []
        self.near: list[tuple[NDArray[np.uint64], NDArray[np.int64]]] = []
        self.piece_near: list[tuple[NDArray[np.uint64], NDArray[np.int64]]] = []
        self.size = 0
        self.rows = band_rows(rules.near) if rules.near < 1 else 0

    def add(self, texts: list[str]) -> None:
        """Clean, filter and mask some texts, then keep them with their keys."""
        self.read += len(texts)
        self.read_bytes += sum(len(text.encode(errors="replace")) for text in texts)
        letters = look(texts)
        if self.rules.clean:
            texts, letters = self._clean(texts, letters)
        names = judge(texts, letters, self.rules.quality)
        spoken = [hint(text) if not name else "" for name, text in zip(names, texts, strict=True)]
        if self.rules.languages:
            spare = ["language" if one and one not in self.rules.languages else "" for one in spoken]
            names = [name or other for name, other in zip(names, spare, strict=True)]
        for name, text in zip(names, texts, strict=True):
            self._drop(name, text)
        kept = [place for place, name in enumerate(names) if not name]
        self.languages.update(spoken[place] for place in kept)
        if kept:
            texts = [texts[place] for place in kept]
            texts, found = mask_all(texts, letters if len(kept) == len(names) else look(texts), self.rules.mask)
            self.masked += found
            self._keep(texts, letters if len(kept) == len(names) and not found else look(texts))

    def _clean(self, texts: list[str], letters: Letters) -> tuple[list[str], Letters]:
        marked = letters.counts()[:, CONTROL] > 0
        done = [plain(text, control) for text, control in zip(texts, marked.tolist(), strict=True)]
        self.changed.update(name for _, found in done for name in found)
        cleaned = [text for text, _ in done]
        return cleaned, look(cleaned) if any(found for _, found in done) else letters

    def _drop(self, name: str, text: str) -> None:
        if name:
            self.dropped[name] += 1
            shown = self.examples.setdefault(name, [])
            if len(shown) < EXAMPLES:
                shown.append(mask_all([text[:SHOWN]], look([text[:SHOWN]]), "all")[0][0])

    def _keep(self, texts: list[str], letters: Letters) -> None:
        base, first = len(self.bounds), len(self.pieces)
        starts: list[int] = []  # of each piece, in characters of `letters`
        owners: list[int] = []
        for place, text in enumerate(texts):
            pieces = paragraphs(text) if self.rules.paragraph else [text]
            whole, begin = hashlib.blake2b(digest_size=8), int(letters.starts[place])
            for piece in pieces:
                plain_piece = canonical(piece).encode(errors="surrogatepass") + b" "
                whole.update(plain_piece)
                self.size += len(piece.encode())
                self.pieces.append((base + place, self.size))
                starts.append(begin)
                owners.append(place)
                begin += len(piece)
                if self.rules.paragraph and len(piece) >= self.rules.paragraph:
                    digest = hashlib.blake2b(plain_piece, digest_size=8).digest()
                    self.piece_digests.append((int.from_bytes(digest), len(self.pieces) - 1))
            self.digests.append(int.from_bytes(whole.digest()))
            self.raw.append(text.encode())
            self.bounds.append(self.size)
        if self.rows:
            self._sketch(letters, np.array(starts), np.array(owners), base, first)

    def _sketch(
        self, letters: Letters, starts: NDArray[np.int64], owners: NDArray[np.int64], base: int, first: int
    ) -> None:
        """Keys for near doubles: the sketch of a document is the least of its paragraphs', but for the few shingles
        that reach over a border."""
        found = sketch(letters, starts)
        heads = np.searchsorted(owners, np.arange(owners[-1] + 1))
        whole = np.minimum.reduceat(found, heads, axis=0)
        self._near(self.near, whole, np.arange(base, base + len(heads)))
        if self.rules.paragraph:
            sizes = np.diff(np.append(starts, letters.starts[-1]))
            large = np.flatnonzero(sizes >= self.rules.paragraph)
            self._near(self.piece_near, found[large], first + large)

    def _near(self, into: list[Any], sketches: NDArray[np.uint32], units: NDArray[np.int64]) -> None:
        some = (sketches != EMPTY).any(1)
        if some.any():
            into.append((bands(sketches[some], self.rows), units[some]))

    def write(self, folder: Path) -> dict[str, Any]:
        """The files of the part."""
        (folder / "text.bin").write_bytes(b"".join(self.raw))
        np.save(folder / "ends.npy", np.array(self.bounds, np.int64))
        np.save(folder / "places.npy", np.array(self.digests, np.uint64))
        np.save(folder / "pieces.npy", np.array(self.pieces, np.int64).reshape(-1, 2))
        digests = np.array(self.digests, np.uint64)
        Keys.sorted(digests, np.arange(len(digests), dtype=np.uint32)).save(folder, "documents")
        if self.rules.paragraph:
            keys = np.array([key for key, _ in self.piece_digests], np.uint64)
            units = np.array([unit for _, unit in self.piece_digests], np.uint32)
            Keys.sorted(keys, units).save(folder, "paragraphs")
        for name, near in (("documents-near", self.near), ("paragraphs-near", self.piece_near)):
            if name in key_names(self.rules):
                _flat(near).save(folder, name)
        return {
            "read": self.read,
            "read_bytes": self.read_bytes,
            "documents": len(self.bounds),
            "pieces": len(self.pieces),
            "bytes": self.size,
            "dropped": dict(self.dropped),
            "examples": self.examples,
            "changed": dict(self.changed),
            "masked": dict(self.masked),
            "languages": dict(self.languages),
        }


def _flat(near: Sequence[tuple[NDArray[np.uint64], NDArray[np.int64]]]) -> Keys:
    """[units, bands] keys as one sorted list."""
    if not near:
        return Keys(np.zeros(0, np.uint64), np.zeros(0, np.uint32))
    keys = np.concatenate([part.ravel() for part, _ in near])
    units = np.concatenate([np.repeat(units, part.shape[1]) for part, units in near])
    return Keys.sorted(keys, units.astype(np.uint32))


def _mapped(path: Path) -> NDArray[Any]:
    found: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return found
