"""SentencePiece's .model files read into the `tokenizers` library: the pieces, how a text is normalised, both models.

A .model is a protobuf message (sentencepiece_model.proto; Kudo and Richardson 2018). Only the few fields that decide
how a text is cut are read, by a reader of the wire format below: tags, varints, lengths.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tokenizers import AddedToken, Regex, decoders, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Rust
from tokenizers.models import BPE, Unigram

from dragoman.core.errors import UserError

__all__ = ["Piece", "SentencePiece", "build", "parse"]

NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = range(1, 7)
_UNIGRAM, _BPE = 1, 2
_SPACE = "\u2581"
_AGAIN = "copy or download the model again, or give a folder with tokenizer.json in models.candidates"


@dataclass(frozen=True, slots=True)
class Piece:
    """One row of the vocabulary: its text, its score (a log-probability, or minus the rank of a merge), its kind."""

    text: str
    score: float
    kind: int


@dataclass(frozen=True)
class SentencePiece:
    """What a .model says."""

    pieces: tuple[Piece, ...]
    unigram: bool
    byte_fallback: bool
    charsmap: bytes
    "the normalisation as SentencePiece compiled it; empty where texts are taken as they are"
    dummy_prefix: bool
    "whether a space is put in front of a text, so that its first word looks like the others"
    strip_spaces: bool
    "whether spaces at the ends go and runs of them become one"

    def role(self, text: str) -> str | None:
        """The text itself where it is a control piece or the unknown one."""
        return next((one.text for one in self.pieces if one.text == text and one.kind in (UNKNOWN, CONTROL)), None)

    @property
    def unknown(self) -> int | None:
        """The id of the piece that stands for what no piece covers."""
        return next((number for number, one in enumerate(self.pieces) if one.kind == UNKNOWN), None)


def parse(path: Path) -> SentencePiece:
    """Read a .model file. Raises UserError where it is none, is cut short, or holds what `tokenizers` cannot do."""
    try:
        fields = list(_fields(path.read_bytes()))
        pieces = tuple(_piece(value) for tag, value in fields if tag == 1 and isinstance(value, bytes))
        trainer, normalizer = (_last(fields, tag) for tag in (2, 3))
    except (OSError, ValueError, struct.error) as error:
        raise UserError(f"{path} cannot be read as a SentencePiece model: {error}", _AGAIN) from None
    kind = trainer.get(3, _UNIGRAM)
    if not pieces or kind not in (_UNIGRAM, _BPE):
        raise UserError(f"{path} holds no unigram or BPE model of SentencePiece", _AGAIN)
    if trainer.get(24):
        raise UserError(f"{path} marks the ends of words, not their beginnings, which is not supported", _AGAIN)
    charsmap = normalizer.get(2, b"")
    return SentencePiece(
        pieces,
        unigram=kind == _UNIGRAM,
        byte_fallback=bool(trainer.get(35, 0)),
        charsmap=charsmap if isinstance(charsmap, bytes) else b"",
        dummy_prefix=bool(normalizer.get(3, 1)),
        strip_spaces=bool(normalizer.get(4, 1)),
    )


def build(model: SentencePiece, extra: int = 0) -> Rust:
    """The same tokenizer in the `tokenizers` library, without specials around a text.

    `extra` adds T5's sentinels behind the pieces, the last one first: <extra_id_99> ... <extra_id_0> (Raffel et al.
    2020).
    """
    sentinels = [f"<extra_id_{number}>" for number in reversed(range(extra))]
    rust = Rust(_unigram(model, sentinels) if model.unigram else _byte_pairs(model))
    rust.normalizer = normalizers.Sequence(_normal(model))
    if model.unigram:
        prepend = "always" if model.dummy_prefix else "never"
        rust.pre_tokenizer = pre_tokenizers.Metaspace(replacement=_SPACE, prepend_scheme=prepend, split=True)
    start = [decoders.Strip(" ", 1, 0)] if model.dummy_prefix else []
    rust.decoder = decoders.Sequence([decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), *start])
    controls = [one.text for one in model.pieces if one.kind in (UNKNOWN, CONTROL)]
    rust.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in (*controls, *sentinels)])
    rust.add_tokens([AddedToken(one.text, normalized=False) for one in model.pieces if one.kind == USER])
    return rust


def _normal(model: SentencePiece) -> list[normalizers.Normalizer]:
    steps: list[normalizers.Normalizer] = []
    if model.charsmap:
        steps.append(normalizers.Precompiled(model.charsmap))
    if model.strip_spaces:
        steps += [normalizers.Replace(Regex(r"\A +| +\z"), ""), normalizers.Replace(Regex(" {2,}"), " ")]
    if not model.unigram:  # its merges run over spaces, so that no splitter may stand in front
        steps += [normalizers.Prepend(_SPACE)] if model.dummy_prefix else []
        steps.append(normalizers.Replace(" ", _SPACE))
    return steps


def _unigram(model: SentencePiece, sentinels: list[str]) -> Unigram:
    rows = [(one.text, one.score) for one in model.pieces] + [(text, 0.0) for text in sentinels]
    return Unigram(rows, unk_id=model.unknown, byte_fallback=model.byte_fallback)


def _byte_pairs(model: SentencePiece) -> BPE:
    """A merge for each way to put a piece together, the best score first (SentencePiece stores scores, not merges)."""
    numbers = {one.text: number for number, one in enumerate(model.pieces)}
    joinable = {one.text for one in model.pieces if one.kind in (NORMAL, USER)}
    merges: list[tuple[str, str]] = []
    for one in sorted(model.pieces, key=lambda one: -one.score):
        if one.kind == NORMAL:
            halves = ((one.text[:cut], one.text[cut:]) for cut in range(1, len(one.text)))
            known = (pair for pair in halves if joinable.issuperset(pair))
            merges += sorted(known, key=lambda pair: (numbers[pair[0]], numbers[pair[1]]))
    unknown = model.unknown
    token = None if unknown is None else model.pieces[unknown].text
    return BPE(vocab=numbers, merges=merges, unk_token=token, fuse_unk=True, byte_fallback=model.byte_fallback)


def _piece(message: bytes) -> Piece:
    """One message SentencePiece: text, score, kind."""
    read = dict(_fields(message))
    text, score, kind = read.get(1, b""), read.get(2, bytes(4)), read.get(3, NORMAL)
    if not isinstance(text, bytes) or not isinstance(score, bytes) or not isinstance(kind, int):
        raise ValueError("a piece of another form")
    return Piece(text.decode(), struct.unpack("<f", score)[0], kind)


def _last(fields: list[tuple[int, int | bytes]], tag: int) -> dict[int, int | bytes]:
    """The fields of a message inside a message; empty where it is not there."""
    found = [value for number, value in fields if number == tag]
    return dict(_fields(found[-1])) if found and isinstance(found[-1], bytes) else {}


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values in the wire's order: numbers as int, everything else as its bytes."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind = tag & 7
        if kind == 0:
            value, place = _varint(message, place)
            yield tag >> 3, value
            continue
        if kind == 2:
            length, place = _varint(message, place)
        else:
            length = {1: 8, 5: 4}.get(kind, -1)
        if length < 0 or place + length > len(message):
            raise ValueError(f"byte {place} is damaged or cut short")
        yield tag >> 3, message[place : place + length]
        place += length


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        value |= (message[place] & 127) << shift
        place += 1
        if message[place - 1] < 128:
            return value, place
    raise ValueError(f"byte {place} is damaged or cut short")
