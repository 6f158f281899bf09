"""Puts a document together from its parts: text in NFC without anything a reader cannot see, blocks with exact offsets.

Text that is not seen is how orders are hidden from people and told to models (zero-width letters, direction marks,
Unicode tags): it is taken out, counted, and told.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dragoman.core.documents import Block, Document, Kind, Value
from dragoman.core.errors import UserError
from dragoman.core.hidden import CONTROLS, hidden_text

__all__ = ["TEXT_LIMIT", "Part", "compose", "decode", "lined", "seen", "tidy"]

TEXT_LIMIT = 64 << 20  # bytes of one file of text; a book has 1 MB
ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
HALF = re.compile("[\ud800-\udfff]")
SPACES = re.compile(r"[^\S\n]+")
MARKS = (("utf-8-sig", b"\xef\xbb\xbf"), ("utf-32", b"\xff\xfe\0\0"), ("utf-16", b"\xff\xfe"), ("utf-16", b"\xfe\xff"))


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a source before it has a place in the document's text."""

    text: str
    kind: Kind = "paragraph"
    level: int = 0
    page: int = 0
    glue: str = "\n\n"
    "the white space in front of it, where something stands before it"


def lined(text: str) -> str:
    """The text with `\\n` at the end of every line, and nothing else changed."""
    return ENDS.sub("\n", text)


def seen(text: str) -> tuple[str, int, int]:
    """The text as it is seen, in NFC with `\\n` line ends, and how many control and hidden characters are out of it."""
    whole = HALF.sub("\ufffd", lined(text)).replace("\u00ad", "")  # a soft hyphen is seen only where a line breaks
    found = hidden_text(whole)
    controls = found.counts.get(CONTROLS, 0)
    return unicodedata.normalize("NFC", found.text), controls, sum(found.counts.values()) - controls


def tidy(text: str) -> str:
    """The text with every run of spaces made one, and none at the ends of lines."""
    return "\n".join(line.strip() for line in SPACES.sub(" ", text).split("\n")).strip()


def decode(data: bytes) -> tuple[str, tuple[str, ...]]:
    """A file of text as text, and what is to be told of it. Raises UserError where it holds no text."""
    if len(data) > TEXT_LIMIT:
        raise UserError(
            f"it has {len(data):,} bytes, and {TEXT_LIMIT:,} are read of a text", "cut it into several files"
        )
    for name, mark in MARKS:
        if data.startswith(mark):
            return data.decode(name, "replace"), ()
    if data.count(0, 0, 65536):
        raise UserError("it holds bytes, not text", "leave it out, or convert it to text in UTF-8")
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError as error:
        told = f"byte {error.start} is not UTF-8: it was read as Windows-1252"
        return data.decode("cp1252", "replace"), (told,)


def compose(
    source: str,
    parts: Iterable[Part],
    *,
    title: str = "",
    pages: int = 0,
    problems: Iterable[str] = (),
    meta: Mapping[str, Value] | None = None,
) -> Document:
    """The document of these parts, in their order; parts that hold nothing are left out."""
    texts: list[str] = []
    blocks: list[Block] = []
    at = controls = hidden = 0
    for part in parts:
        text, some_controls, some_hidden = seen(part.text)
        controls, hidden = controls + some_controls, hidden + some_hidden
        text = text.rstrip().removeprefix("\n") if part.kind == "code" else text.strip()
        if not text.strip():
            continue
        if texts:
            texts.append(part.glue)
            at += len(part.glue)
        texts.append(text)
        blocks.append(Block(at, at + len(text), part.kind, part.level, part.page))
        at += len(text)
    told = [*problems]
    told += [f"{hidden} hidden characters were removed (zero width, direction, tags)"] if hidden else []
    told += [f"{controls} control characters were removed"] if controls else []
    told += [] if blocks else ["it holds no text"]
    name = tidy(seen(title)[0]).replace("\n", " ")
    return Document(source, "".join(texts), tuple(blocks), name, pages, tuple(told), dict(meta or {}))
