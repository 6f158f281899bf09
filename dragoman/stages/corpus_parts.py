"""What a worker does to one part of a corpus: refine a block of raw documents, or tokenise what is left of a part."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dragoman.core.durable import problems, publish
from dragoman.core.shards import PARTS, dtype_of
from dragoman.data.doubles import KEPT
from dragoman.data.paragraphs import border
from dragoman.data.refine import Rules, refine
from dragoman.stages.shares import Share

if TYPE_CHECKING:
    from dragoman.nn.memory import Memory

__all__ = ["Block", "Piece", "Tokens", "facts_of", "raw_digest", "refine_block", "tokenise", "unseen_and_seen"]

_BATCH = 1 << 20  # characters that are tokenised at a time


@dataclass(frozen=True)
class Block:
    """Some raw documents and the folder that their part is to be."""

    texts: Sequence[str] = field(repr=False)
    folder: Path
    rules: Rules
    digest: str


@dataclass(frozen=True)
class Piece:
    """A part, what is left of it, and the folder that its tokens are to be."""

    part: Path
    flags: Path
    first: int
    piece_flags: Path | None
    first_piece: int
    share: Share
    tokenizer: Path
    folder: Path
    digest: str


@dataclass(frozen=True)
class Tokens:
    """The tokens of one part: of each of training and validation the stream, the length and the bytes of each text."""

    stream: NDArray[Any]
    lengths: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @staticmethod
    def open(folder: Path, part: str) -> "Tokens":
        """The tokens that `tokenise` published, mapped."""
        names = (f"{part}.{name}.npy" for name in ("stream", "lengths", "sizes"))
        return Tokens(*(np.load(folder / name, mmap_mode="r", allow_pickle=False) for name in names))


def raw_digest(texts: Sequence[str]) -> str:
    """What tells one block of raw documents from another."""
    whole = hashlib.blake2b(digest_size=16)
    for text in texts:
        raw = text.encode(errors="surrogatepass")
        whole.update(len(raw).to_bytes(8))
        whole.update(raw)
    return whole.hexdigest()


def facts_of(folder: Path, digest: str) -> dict[str, Any] | None:
    """The facts of a folder that is whole and was made from what this digest says; None where it is to be made."""
    if not (folder / "facts.json").is_file() or problems(folder):
        return None
    facts: dict[str, Any] = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    return facts if facts.pop("digest") == digest else None


def refine_block(block: Block) -> dict[str, Any]:
    """Publish the part of a block and give its facts, of this run or of one that was killed."""
    done = facts_of(block.folder, block.digest)
    if done is not None:
        return done
    facts: dict[str, Any] = {}

    def fill(stage: Path) -> None:
        facts.update(refine(block.texts, block.rules, stage))
        _write_facts(stage, facts, block.digest)

    publish(block.folder, fill)
    return facts


def tokenise(piece: Piece) -> dict[str, Any]:
    """Publish the tokens of a part and give their facts, of this run or of one that was killed."""
    done = facts_of(piece.folder, piece.digest)
    if done is not None:
        return done
    tokenizer = _tokenizer(piece.tokenizer, piece.digest)
    facts: dict[str, Any] = {"unknown": 0}

    def fill(stage: Path) -> None:
        for part, texts in zip(PARTS, unseen_and_seen(piece)[::-1], strict=True):
            tokens = _tokens(tokenizer, texts)
            facts[part] = {"documents": len(texts), "bytes": int(tokens.sizes.sum()), "tokens": len(tokens.stream)}
            if tokenizer.tokenizer.unknown_id is not None:
                facts["unknown"] += int(np.count_nonzero(tokens.stream == tokenizer.tokenizer.unknown_id))
            for name in ("stream", "lengths", "sizes"):
                np.save(stage / f"{part}.{name}.npy", getattr(tokens, name))
        _write_facts(stage, facts, piece.digest)

    publish(piece.folder, fill)
    return facts


def unseen_and_seen(piece: Piece) -> tuple[list[str], list[str]]:
    """The texts of a part that are for validation, and those for training, in order."""
    unseen: list[str] = []
    seen: list[str] = []
    places = np.load(piece.part / "places.npy").tolist()
    for document, text in _left(piece):
        if piece.first + document == piece.share.cut:
            middle = _character_at(text, len(text.encode()) - piece.share.cut_bytes)
            middle = border(text, middle)
            seen.append(text[:middle])
            if text[middle:]:
                unseen.append(text[middle:])
        elif piece.share.unseen(piece.first + document, places[document]):
            unseen.append(text)
        else:
            seen.append(text)
    return unseen, seen


def _character_at(text: str, place: int) -> int:
    """How many characters stand in the first `place` bytes."""
    return len(text.encode()[: max(0, place)].decode(errors="ignore"))


def _left(piece: Piece) -> Iterator[tuple[int, str]]:
    """Each document that is kept, without the paragraphs that stand elsewhere."""
    raw = (piece.part / "text.bin").read_bytes()
    owners, ends = np.load(piece.part / "pieces.npy").T
    flags = _slice(piece.flags, piece.first, int(np.load(piece.part / "ends.npy", mmap_mode="r").shape[0]))
    keep = flags[owners] == KEPT
    if piece.piece_flags is not None:
        keep &= _slice(piece.piece_flags, piece.first_piece, len(owners)) == KEPT
    begins = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
    parts: list[bytes] = []
    rows = zip(owners[keep].tolist(), begins[keep].tolist(), ends[keep].tolist(), strict=True)
    now = -1
    for owner, begin, end in rows:
        if owner != now and parts:
            yield now, b"".join(parts).decode()
            parts = []
        now = owner
        parts.append(raw[begin:end])
    if parts:
        yield now, b"".join(parts).decode()


def _slice(path: Path, first: int, count: int) -> NDArray[np.uint8]:
    return np.fromfile(path, np.uint8, count, offset=first)


def _tokens(tokenizer: "Memory", texts: Sequence[str]) -> Tokens:
    dtype = dtype_of(tokenizer.tokenizer.size)
    streams: list[NDArray[Any]] = [np.zeros(0, dtype)]
    lengths: list[int] = []
    for batch in _batches(texts):
        for ids in tokenizer.plain(batch):
            lengths.append(len(ids))
            streams.append(ids.astype(dtype))
    sizes = [len(text.encode()) for text in texts]
    return Tokens(np.concatenate(streams), np.array(lengths, np.int64), np.array(sizes, np.int64))


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _write_facts(stage: Path, facts: dict[str, Any], digest: str) -> None:
    text = json.dumps({**facts, "digest": digest}, ensure_ascii=False)
    (stage / "facts.json").write_text(text, encoding="utf-8")


@lru_cache(maxsize=1)
def _tokenizer(folder: Path, digest: str) -> "Memory":
    """The tokenizer of a folder; the digest tells it from another that stood there before."""
    from dragoman.nn.memory import Memory

    return Memory(folder)
