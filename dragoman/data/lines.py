"""Turns a stream of bytes into lines of text in constant memory, and names the lines that are not UTF-8 text."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import BinaryIO

from dragoman.data.problems import Place, Problem

__all__ = ["LINE_LIMIT", "Line", "convert", "lines"]

LINE_LIMIT = 8 * 1024 * 1024  # bytes; a longer line is refused without being held
MARK = b"\xef\xbb\xbf"  # the byte order mark in UTF-8
PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end; `ended` is False for a last line that has no line break."""

    number: int
    text: str
    ended: bool


def lines(stream: BinaryIO, name: str, max_line: int = LINE_LIMIT) -> Iterator[Line | Problem]:
    """Each line of `stream`, or what is wrong with it. Lines end at LF or CRLF only, so U+2028 stays inside a row.

    At most `max_line` bytes are held at a time, whatever the length of a line.
    """
    number = 0
    while raw := stream.readline(max_line + 1):
        number += 1
        if number == 1 and raw.startswith(MARK):
            raw = raw[len(MARK) :]
            yield Problem("bom", Place(name), "a byte order mark was left out", refused=False)
        if len(raw) > max_line and not raw.endswith(b"\n"):
            length = len(raw) + _pass_over(stream)
            reason = f"the line has {length:,} bytes and the limit is {max_line:,}"
            yield Problem("long-line", Place(name, number), reason, "data.max_line=SIZE sets the limit")
            continue
        yield _decoded(raw, name, number)


def convert(name: str, encoding: str) -> str:
    """The command that turns a file into UTF-8."""
    path = PurePath(name)
    target = str(path.with_name(f"{path.stem}.utf8{path.suffix}"))
    return f"iconv -f {encoding} -t UTF-8 {shlex.quote(name)} > {shlex.quote(target)}"


def _pass_over(stream: BinaryIO) -> int:
    length = 0
    while piece := stream.readline(PIECE):
        length += len(piece)
        if piece.endswith(b"\n"):
            break
    return length


def _decoded(raw: bytes, name: str, number: int) -> Line | Problem:
    ended = raw.endswith(b"\n")
    raw = raw.removesuffix(b"\n").removesuffix(b"\r")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return _undecodable(raw, error.start, name, number)
    at = text.find("\x00")
    if at >= 0:
        fix = f"tr -d '\\000' < {shlex.quote(name)} > clean{PurePath(name).suffix}"
        return Problem("nul", Place(name, number, at + 1), "a NUL byte stands in the text", fix)
    return Line(number, text, ended)


def _undecodable(raw: bytes, start: int, name: str, number: int) -> Problem:
    place = Place(name, number, len(raw[:start].decode("utf-8")) + 1)
    if raw[start] == 0xED and raw[start + 1 : start + 2] >= b"\xa0":
        return Problem("surrogate", place, "half of a surrogate pair is written out as bytes; it is no character")
    # Windows-1252 has letters and quotes where Latin-1 has control characters nobody writes.
    windows = any(0x80 <= byte <= 0x9F for byte in raw)
    encoding = "WINDOWS-1252" if windows else "LATIN1"
    reason = f"byte 0x{raw[start]:02x} is not UTF-8; it looks like {encoding}"
    return Problem("encoding", place, reason, convert(name, encoding))
