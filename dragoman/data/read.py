"""Reads rows from wherever a source says, one at a time in constant memory; what cannot be read is named.

Sources: a path, a pattern, a folder, `-` (standard input), `hf:owner/name`, `builtin:stdlib`. Formats: jsonl, ndjson,
json (a list, or an object that holds one named data), csv, tsv, parquet, txt, conll, each also gzipped. The format
follows the name and is held against the content.
"""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from dragoman.core.errors import UserError
from dragoman.data.builtin import builtin_rows
from dragoman.data.columns import LABEL_NAMES, TEXT_NAMES
from dragoman.data.conll_rows import conll_rows, is_conll
from dragoman.data.csv_rows import csv_rows, separator, txt_rows
from dragoman.data.hub import hub_rows
from dragoman.data.json_rows import json_lines, json_list
from dragoman.data.lines import LINE_LIMIT, convert
from dragoman.data.nested_rows import is_nested, nested_rows
from dragoman.data.parquet_rows import parquet_rows
from dragoman.data.problems import Place, Problem, Row
from dragoman.data.sniff import foreign, wide_encoding
from dragoman.data.sources import FORMATS, File, find

__all__ = ["guess", "scan"]

GZIP = b"\x1f\x8b"
HEAD = 4096
BUFFER = 256 * 1024
Reader = Callable[[io.BufferedReader, str, int], Iterator[Row | Problem]]
READERS: dict[str, Reader] = {
    "jsonl": json_lines,
    "json": json_list,
    "csv": csv_rows,
    "parquet": parquet_rows,
    "txt": txt_rows,
    "conll": conll_rows,
    "nested": nested_rows,
}


def scan(
    source: str, *, root: Path = Path(), max_line: int = LINE_LIMIT, stdin: BinaryIO | None = None
) -> Iterator[Row | Problem]:
    """Each row of `source`, and each problem where it stands, in the order of the files.

    `max_line` is the longest row in bytes; `stdin` is what `-` reads. Relative paths start at `root`.
    Raises UserError when there is no such source, or the library for it is not installed.
    """
    if source.startswith("builtin:"):
        yield from builtin_rows(source.removeprefix("builtin:"))
    elif source.startswith("hf:"):
        yield from hub_rows(_from_root(source.removeprefix("hf:"), root))
    elif source == "-":
        if stdin is None:
            raise UserError("nothing is given on standard input", "dragoman check data.source=PATH reads a file")
        yield from _stream(_buffered(stdin), "-", "", max_line)
    elif not source:
        raise UserError("no data is named", "data.source=PATH names it")
    else:
        for found in find(source, root):
            if isinstance(found, Problem):
                yield found
            else:
                yield from _file(found, max_line)


def _from_root(spec: str, root: Path) -> str:
    name, mark, split = spec.partition("#")
    return f"{root / name}{mark}{split}" if (root / name).is_dir() else spec


def _buffered(stream: BinaryIO | io.FileIO) -> io.BufferedReader:
    if isinstance(stream, io.BufferedReader):
        return stream
    return io.BufferedReader(cast(io.RawIOBase, stream), BUFFER)


def _file(file: File, max_line: int) -> Iterator[Row | Problem]:
    try:
        stream = _buffered(file.path.open("rb", buffering=0))
    except OSError as error:
        raise UserError(
            f"{file.name} cannot be opened: {error.strerror}", "data.source=PATH names another file"
        ) from error
    with stream:
        yield from _stream(stream, file.name, file.format, max_line)


def _stream(stream: io.BufferedReader, name: str, kind: str, max_line: int) -> Iterator[Row | Problem]:
    if stream.peek(2)[:2] != GZIP:
        yield from _plain(stream, name, kind, max_line)
        return
    with gzip.GzipFile(fileobj=stream, mode="rb") as unpacked:
        try:
            yield from _plain(io.BufferedReader(cast(io.RawIOBase, unpacked), BUFFER), name, kind, max_line)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            yield Problem("truncated", Place(name), f"the gzip file is damaged or cut: {error}")


def _plain(stream: io.BufferedReader, name: str, kind: str, max_line: int) -> Iterator[Row | Problem]:
    head = stream.peek(HEAD)[:HEAD]
    if not head:
        yield Problem("empty-file", Place(name), "the file is empty: 0 rows", "data.source=PATH names another file")
        return
    stranger = foreign(head)
    if stranger and not (kind == "parquet" and head.startswith(b"PAR1")):
        yield Problem(
            "wrong-kind", Place(name), f"the file is {stranger}, not {kind or 'rows of text'}", _rename(head, name)
        )
        return
    encoding = "" if kind == "parquet" else wide_encoding(head)
    if encoding:
        yield Problem("encoding", Place(name), f"the file is {encoding}, not UTF-8", convert(name, encoding))
        return
    if not kind and Path(name).suffix.lower() not in {"", "-", ".gz"}:
        hint = f"name it with one of {' '.join(sorted(FORMATS))}, each also with .gz"
        raise UserError(f"{name} is in no known format: no file ending in {Path(name).suffix} is known", hint)
    kind = kind or guess(head)
    # Many files called .json hold one object a line, and those of SQuAD one object with a list inside.
    if kind == "json" and head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{":
        kind = "nested" if is_nested(head) else "jsonl"
    if kind in ("txt", "csv") and is_conll(head):
        kind = "conll"
    yield from READERS[kind](stream, name, max_line)


def _rename(head: bytes, name: str) -> str:
    if head.startswith(b"PAR1"):
        return f"mv {name} {Path(name).with_suffix('.parquet')}"
    if head.startswith(b"PK\x03\x04"):
        return f"unzip {name}"
    return ""


def guess(head: bytes) -> str:
    """The format of rows without a name, from how they begin."""
    text = head.decode("utf-8-sig", errors="ignore").lstrip()
    if is_conll(head):
        return "conll"
    if text.startswith(("{", "[")):
        return "jsonl" if text[0] == "{" else "json"
    first = text.split("\n", 1)[0].strip()
    cells = {cell.strip().strip('"').lower() for cell in first.split(separator(first + "\n"))}
    return "csv" if len(cells) > 1 and cells & {*TEXT_NAMES, *LABEL_NAMES} else "txt"
