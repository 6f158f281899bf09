"""Reads rows out of JSON lines and JSON lists, and refuses what JSON readers usually let through in silence."""

import codecs
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn

from dragoman.data.lines import LINE_LIMIT, convert, lines
from dragoman.data.problems import Place, Problem, Row

__all__ = ["DEPTH_LIMIT", "Trouble", "json_lines", "json_list", "parse"]

DEPTH_LIMIT = 64
PIECE = 256 * 1024
# An escaped backslash and a whole surrogate pair come first so that neither is taken for a lone half.
ESCAPE = re.compile(r"\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)|(\\u0000)")
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]|-?Infinity|NaN|-?\d[\d.eE+-]*')
SPACE = re.compile(r"[ \t\r\n]*")
COLON = re.compile(r"[ \t\r\n]*:")
COMMA = re.compile(r"[ \t\r\n]*,?[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a JSON text, and at which character of it (from 0)."""

    name: str
    position: int
    reason: str


class _Refused(Exception):
    """Carries the token that is refused out of the decoder, which does not know where it stands."""

    def __init__(self, name: str, token: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name
        self.token = token
        self.reason = reason


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _Refused("duplicate-key", twice, f"the key '{twice}' stands twice in one object")
    return values


def _integer(digits: str) -> int:
    # 64 bits are what every other reader of the file can hold; more becomes inf or an error there.
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**64:
        raise _Refused("huge-number", digits, f"an integer of {len(digits.lstrip('-')):,} digits does not fit 64 bits")
    return int(digits)


def _real(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise _Refused("huge-number", digits, f"{digits[:20]} is beyond what a number can hold")
    return value


def _constant(name: str) -> NoReturn:
    raise _Refused("not-a-number", name, f"{name} is not JSON and no number")


STRICT = json.JSONDecoder(object_pairs_hook=_pairs, parse_int=_integer, parse_float=_real, parse_constant=_constant)
LENIENT = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)  # only to find where an element ends


def parse(text: str) -> Mapping[str, Any] | Trouble:
    """The one object that a text holds, or what is wrong with it and where."""
    if "\\u" in text:
        for match in ESCAPE.finditer(text):
            if match[1]:
                return Trouble(
                    "surrogate", match.start(), f"{match[1]} is half of a surrogate pair; it is no character"
                )
            if match[2]:
                return Trouble("nul", match.start(), r"\u0000 is the NUL character")
    try:
        value = STRICT.decode(text)
    except json.JSONDecodeError as error:
        return Trouble("malformed", error.pos, error.msg[:1].lower() + error.msg[1:])
    except RecursionError:
        return Trouble("too-deep", _deep_position(text), f"nested deeper than {DEPTH_LIMIT} levels")
    except _Refused as error:
        return Trouble(error.name, _position(text, error), error.reason)
    if not isinstance(value, dict):
        return Trouble("not-an-object", 0, f"a row must be an object {{...}}, this is a {_kind(value)}")
    if text.count("{") + text.count("[") > DEPTH_LIMIT and (at := _deep_position(text)) >= 0:
        return Trouble("too-deep", at, f"nested deeper than {DEPTH_LIMIT} levels")
    return value


def _kind(value: object) -> str:
    names = {list: "list", str: "string", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), "null")


def _deep_position(text: str) -> int:
    depth = 0
    for match in TOKEN.finditer(text):
        if match[0] in "{[":
            depth += 1
            if depth > DEPTH_LIMIT:
                return match.start()
        elif match[0] in "}]":
            depth -= 1
    return -1


def _position(text: str, refused: _Refused) -> int:
    if refused.name != "duplicate-key":
        return next((match.start() for match in TOKEN.finditer(text) if match[0] == refused.token), 0)
    seen: list[set[str] | None] = []
    for match in TOKEN.finditer(text):
        token = match[0]
        if token in "{[":
            seen.append(set() if token == "{" else None)
        elif token in "}]":
            seen.pop()
        elif token[0] == '"' and seen and (keys := seen[-1]) is not None and COLON.match(text, match.end()):
            key = json.loads(token)
            if key in keys:
                return match.start()
            keys.add(key)
    return 0


def json_lines(stream: BinaryIO, name: str, max_line: int = LINE_LIMIT) -> Iterator[Row | Problem]:
    """One row a line; blank lines are counted, every other line is a row or a problem."""
    for line in lines(stream, name, max_line):
        if isinstance(line, Problem):
            yield line
        elif not line.text.strip(" \t\r"):
            yield Problem("blank-line", Place(name, line.number), "the line is blank", refused=False)
        else:
            found = parse(line.text)
            if not isinstance(found, Trouble):
                yield Row(Place(name, line.number), found)
                continue
            cut = found.name == "malformed" and not line.ended and _is_cut(line.text, found)
            reason = f"the file ends in the middle of this row ({found.reason})" if cut else found.reason
            place = Place(name, line.number, found.position + 1)
            yield Problem("truncated" if cut else found.name, place, reason)


def _is_cut(text: str, found: Trouble) -> bool:
    return found.position >= len(text.rstrip()) or "unterminated" in found.reason


class _Window:
    """A piece of a long text that is read as it is needed, and knows its line and column."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.text = ""
        self.at = 0
        self.line = 1
        self.column = 1
        self.marked = False

    def more(self) -> bool:
        """Read on, twice as much as is held, so that retrying costs no more than reading; False at the end."""
        raw = self.stream.read(max(PIECE, len(self.text) - self.at))
        self.marked = self.marked or (not self.text and raw.startswith(codecs.BOM_UTF8))
        self.move(self.at)
        self.text = self.text[self.at :] + self.decoder.decode(raw, final=not raw)
        self.at = 0
        return bool(raw)

    def move(self, to: int) -> None:
        self.line, self.column = self.place(to)
        self.at = to

    def place(self, to: int) -> tuple[int, int]:
        """The line and the column of a later character of the window."""
        breaks = self.text.count("\n", self.at, to)
        if not breaks:
            return self.line, self.column + to - self.at
        return self.line + breaks, to - self.text.rfind("\n", self.at, to)


def json_list(
    stream: BinaryIO, name: str, max_line: int = LINE_LIMIT, before: re.Pattern[str] | None = None
) -> Iterator[Row | Problem]:
    """Each object of one JSON list, streamed. A list that breaks off or is malformed ends with a problem.

    `before` matches what stands in front of the list where it lies inside an object; what follows it is not looked at.
    """
    window = _Window(stream)
    try:
        yield from _elements(window, name, max_line, before)
    except UnicodeDecodeError as error:
        reason = f"byte 0x{error.object[error.start]:02x} is not UTF-8"
        yield Problem("encoding", Place(name, window.line), reason, convert(name, "LATIN1"))


def _elements(
    window: _Window, name: str, max_line: int, before: re.Pattern[str] | None = None
) -> Iterator[Row | Problem]:
    def place(at: int) -> Place:
        return Place(name, *window.place(at))

    def skip(pattern: re.Pattern[str]) -> bool:
        while (match := pattern.match(window.text, window.at)) and match.end() == len(window.text):
            if not window.more():
                return False
        window.move(match.end() if match else window.at)
        return True

    begun = skip(SPACE)
    if window.marked:
        yield Problem("bom", Place(name), "a byte order mark was left out", refused=False)
    if before is not None:
        begun = skip(before)
    if not begun or window.text[window.at] != "[":
        yield Problem(
            "malformed", place(window.at), "a JSON file must be a list [...] of objects, or one object a line"
        )
        return
    window.move(window.at + 1)
    seen = False
    while skip(COMMA):
        if window.text[window.at] == "]":
            if not seen:
                yield Problem("empty-file", place(window.at), "the list is empty: 0 rows", "data.source=PATH")
            window.move(window.at + 1)
            if before is None and skip(SPACE):
                yield Problem("malformed", place(window.at), "more text follows after the end of the list")
            return
        seen = True
        end = _element_end(window, max_line)
        if isinstance(end, Trouble):
            yield Problem(end.name, place(end.position), end.reason)
            return
        found = parse(window.text[window.at : end])
        if isinstance(found, Trouble):
            yield Problem(found.name, place(window.at + found.position), found.reason)
        else:
            yield Row(place(window.at), found)
        window.move(end)
    yield Problem("truncated", place(len(window.text)), "the file ends inside the list")


def _element_end(window: _Window, max_line: int) -> int | Trouble:
    last = False
    while True:
        try:
            _, end = LENIENT.raw_decode(window.text, window.at)
        except RecursionError:
            return Trouble("too-deep", window.at, f"nested deeper than {DEPTH_LIMIT} levels")
        except json.JSONDecodeError as error:
            if len(window.text) - window.at > max_line:
                return Trouble("long-line", window.at, f"no row ends within {max_line:,} characters")
            if last:
                return Trouble("malformed", error.pos, error.msg[:1].lower() + error.msg[1:])
        else:
            if last or end < len(window.text):
                return end
        last = not window.more()
