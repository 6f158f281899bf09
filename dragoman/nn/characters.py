"""Ids back to text, whole characters at a time: what each token stands for in bytes, and a stream that joins them."""

import codecs
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tokenizers import Tokenizer as Rust

from dragoman.core.errors import UserError

__all__ = ["Characters", "Pieces"]

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>\Z")
# What the WordPiece decoder mends, in its order: a space in front of a mark, English contractions.
_MENDS = (
    *((f" {mark}", mark) for mark in ".?!,"),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" do not", " don't"),
    *((f" {ending}", ending) for ending in ("'s", "'ve", "'re")),
)


def _alphabet() -> dict[str, int]:
    """GPT-2's letter for each byte, reversed (Radford et al. 2019): printable bytes stand for themselves, the other 68
    are moved behind U+0100 in their order."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    moved = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(moved)}


class Pieces:
    """The bytes that each token of a tokenizer stands for, as its decoder says, read once and kept.

    Byte-level tokens may hold part of a character; so do the <0xE2> of a byte fallback. Raises UserError where the
    decoder is of a kind that text is not written with.
    """

    def __init__(self, rust: Rust, silent: Collection[int]) -> None:
        """`silent` are the ids that stand for no text: the special tokens."""
        self._rust, self._silent = rust, frozenset(silent)
        self._steps = _steps(json.loads(rust.decoder.__getstate__()) if rust.decoder else None)
        self._letters = _alphabet()
        self._known: dict[tuple[int, bool], bytes] = {}

    def inside(self, number: int) -> bytes:
        """The bytes of a token inside a text: a word that follows another brings its space along."""
        return self._bytes(number, False)

    def first(self, number: int) -> bytes:
        """The bytes of a token that begins a text: without the space that was put there to mark a word."""
        return self._bytes(number, True)

    def speaks(self, number: int) -> bool:
        """Whether this is a token of text: neither a special one nor an id that nothing belongs to."""
        return number >= 0 and number not in self._silent and self._rust.id_to_token(number) is not None

    def _bytes(self, number: int, first: bool) -> bytes:
        found = self._known.get((number, first))
        if found is None:
            found = self._read(self._rust.id_to_token(number) or "", first) if self.speaks(number) else b""
            self._known[number, first] = found
        return found

    def _read(self, token: str, first: bool) -> bytes:
        raw: bytes | None = None
        text = token
        for step in self._steps:
            kind = step["type"]
            if kind == "ByteLevel":
                letters = [self._letters.get(letter) for letter in text]
                raw = text.encode() if None in letters else bytes(letter for letter in letters if letter is not None)
            elif kind == "ByteFallback" and (found := _BYTE.match(text)):
                raw = bytes([int(found[1], 16)])
            elif kind == "Strip" and first:
                if raw is not None:
                    raw = _without(raw, step["content"].encode(), step["start"])
                text = _without(text, step["content"], step["start"])
            elif raw is None:
                text = _spelt(step, text, first)
        return text.encode() if raw is None else raw


def _without(whole: Any, mark: Any, most: int) -> Any:
    """A text or bytes without at most `most` marks in front."""
    for _ in range(most):
        whole = whole.removeprefix(mark)
    return whole


def _steps(decoder: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """A decoder as a flat list of its steps."""
    if decoder is None:
        return [{"type": "Spaces"}]
    if decoder["type"] == "Sequence":
        return [step for inner in decoder["decoders"] for step in _steps(inner)]
    if decoder["type"] not in ("ByteLevel", "ByteFallback", "Strip", "Fuse", "Replace", "Metaspace", "WordPiece"):
        raise UserError(
            f"tokens that are put together by {decoder['type']} cannot be read as text",
            "give a folder with another tokenizer.json in models.candidates",
        )
    return [decoder]


def _spelt(step: Mapping[str, Any], text: str, first: bool) -> str:
    """A token's text after one step of the decoder."""
    kind = step["type"]
    if kind == "Replace":
        pattern = step["pattern"]
        if "String" in pattern:
            return text.replace(pattern["String"], step["content"])
        return re.sub(pattern["Regex"], lambda _: str(step["content"]), text)
    if kind == "Metaspace":
        marked = first and step.get("prepend_scheme", "always") != "never"
        return text.replace(step["replacement"], "" if marked else " ")
    if kind == "WordPiece":
        if not first:
            text = text.removeprefix(step["prefix"]) if text.startswith(step["prefix"]) else f" {text}"
        for bad, good in _MENDS if step["cleanup"] else ():
            text = text.replace(bad, good)
        return text
    if kind == "Spaces" and not first:
        return f" {text}"
    return text


class Characters:
    """A stream of ids read as text: each push gives the characters that are complete, the bytes of a half one wait.

    Each token is read once, so a text of n tokens costs n. Bytes that make no character become U+FFFD, as UTF-8
    decoders do it (Unicode, "maximal subparts").
    """

    def __init__(self, pieces: Pieces, begun: bool = False) -> None:
        """With `begun` the first token stands inside a text: no space in front of it is taken away."""
        self._pieces = pieces
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._begun = begun

    def push(self, number: int) -> str:
        """The characters that this token completes, often its whole text, at times none."""
        if self._begun:
            return self._utf8.decode(self._pieces.inside(number))
        if not self._pieces.speaks(number):
            return ""  # the text has not begun
        self._begun = True
        return self._utf8.decode(self._pieces.first(number))

    def end(self) -> str:
        """What is left: U+FFFD where the ids end inside a character, else nothing."""
        return self._utf8.decode(b"", final=True)

    def whole(self, ids: Sequence[int]) -> str:
        """The text of all ids and the end."""
        return "".join([*(self.push(number) for number in ids), self.end()])
