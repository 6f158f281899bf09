"""The documents of a source as plain texts, one after another in constant memory; and what is kept out of training."""

import dataclasses
import gzip
import hashlib
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from dragoman.core.errors import UserError
from dragoman.core.project import Columns
from dragoman.core.show import Tick
from dragoman.data.columns import Schema, choose
from dragoman.data.lines import Line, convert, lines
from dragoman.data.paragraphs import paragraphs
from dragoman.data.problems import Place, Problem, Row, refuse
from dragoman.data.read import guess, scan
from dragoman.data.sniff import foreign, wide_encoding
from dragoman.data.sources import File, find

__all__ = ["SPLITS", "documents", "held_out", "stream"]

SPLITS = ("file", "paragraph", "line")
LONGEST = 1 << 22  # bytes of a text that are held at once; a longer file is several documents
_PARAGRAPH = 1 << 16  # characters of a paragraph; a longer one is several documents
_GUESSED = 1000  # rows from which the column of a table is chosen
_HEAD = 4096


def documents(source: str, column: str, tick: Tick) -> tuple[list[str], list[str]]:
    """Every document, and the guesses that were made in words.

    A text file is read by paragraphs, its line breaks kept, for a tokenizer meets them too; tables by rows, of which
    the text `column` is taken. Raises UserError where the source is not there or a row of it cannot be read.
    """
    texts: list[str] = []
    problems: list[Problem] = []
    said: list[str] = []
    for found in stream(source, column, "paragraph", said):
        if isinstance(found, Problem):
            problems.append(found)
        else:
            texts.append(found)
            if not len(texts) % 1000:
                tick(0.0, f"{len(texts):,} documents")
    refuse(problems, source)
    if not texts:
        raise UserError(f"{source} holds no text", "give files with text: dragoman vocab SOURCE")
    return texts, said


def stream(source: str, column: str, split: str, said: list[str]) -> Iterator[str | Problem]:
    """Each document of a source, and each problem where it stands; guesses are added to `said` in words.

    A text file is one document (`split` file; of more than 4 MiB several, cut between paragraphs), or one a paragraph,
    one a line, or what stands between two marks: any other `split` is the mark, such as <|endoftext|>. Tables give a
    document a row: the text of `column`, which is guessed from the first thousand rows where it is empty. Blank ones
    are left out. Raises UserError where the source is not there, or no column holds text.
    """
    yield from _chosen(_every(source, split), column, said)


def held_out(texts: Sequence[str], share: float) -> tuple[list[str], list[str]]:
    """The texts to learn from and those kept out. A text's digest decides, so that copies stay on one side and the
    choice is the same each time; a source of one document is cut in two."""
    places = [int.from_bytes(hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest()) for text in texts]
    bound = share * 2**64
    kept = [text for text, place in zip(texts, places, strict=True) if place >= bound]
    out = [text for text, place in zip(texts, places, strict=True) if place < bound]
    if kept and out:
        return kept, out
    if len(set(places)) > 1:
        first = min(places)
        return (
            [text for text, place in zip(texts, places, strict=True) if place != first],
            [text for text, place in zip(texts, places, strict=True) if place == first],
        )
    middle = max(1, int(len(texts[0]) * (1 - share)))
    return [texts[0][:middle]], [texts[0][middle:] or texts[0]]


def _chosen(found: Iterator[str | Row | Problem], column: str, said: list[str]) -> Iterator[str | Problem]:
    """Rows as the text of their column; the column is chosen once the first rows are seen."""
    schema, waiting = Schema(), list[Row]()
    names: list[str] = []
    for one in found:
        if isinstance(one, Problem):
            yield one
        elif isinstance(one, str):
            if one.strip():
                yield one
        elif names:
            yield from _texts([one], names)
        else:
            schema.see(one)
            waiting.append(one)
            if len(waiting) == _GUESSED:
                names = _columns(schema, column, said)
                yield from _texts(waiting, names)
                waiting = []
    if waiting:
        yield from _texts(waiting, _columns(schema, column, said))


def _columns(schema: Schema, column: str, said: list[str]) -> list[str]:
    chosen, guesses = choose(schema, Columns(text=column), (), labelled=False)
    said += [one for one in guesses if one.startswith("text")]
    return [chosen.text] if chosen.text in schema.columns else [name.strip() for name in chosen.text.split("+")]


def _texts(rows: Sequence[Row], names: Sequence[str]) -> Iterator[str]:
    for row in rows:
        text = "\n".join(str(row.values.get(name) or "") for name in names)
        if text.strip():
            yield text


def _every(source: str, split: str) -> Iterator[str | Row | Problem]:
    if source == "-":
        yield from _standard_input(split)
    elif source.startswith(("builtin:", "hf:")):
        yield from scan(source)
    else:
        for found in find(source, Path()):
            if isinstance(found, File) and found.format == "txt":
                yield from _file(found, split)
            elif isinstance(found, File):
                yield from scan(str(found.path))
            else:
                yield found


def _standard_input(split: str) -> Iterator[str | Row | Problem]:
    given = sys.stdin.buffer
    head = given.peek(_HEAD)[:_HEAD] if isinstance(given, io.BufferedReader) else b""
    if head and not head.startswith(b"\x1f\x8b") and guess(head) == "txt":
        yield from _divided(given, "-", split)
    else:
        yield from scan("-", stdin=given)


def _file(file: File, split: str) -> Iterator[str | Problem]:
    try:
        with _opened(file.path) as raw:
            yield from _divided(raw, file.name, split)
    except (OSError, EOFError) as error:
        raise UserError(f"{file.name} cannot be read: {error}", "give another file: dragoman vocab SOURCE") from None


def _divided(raw: BinaryIO, name: str, split: str) -> Iterator[str | Problem]:
    """The documents of one text file."""
    rest = ""
    for block in _blocks(raw, name):
        if isinstance(block, Problem) or split == "file":
            yield block
        elif split == "paragraph":
            yield from paragraphs(block, _PARAGRAPH)
        elif split == "line":
            yield from block.split("\n")
        else:  # a document may reach over the end of a block
            *whole, rest = (rest + block).split(split)
            yield from whole
            if len(rest) > LONGEST:
                yield rest
                rest = ""
    if rest:
        yield rest


def _blocks(raw: BinaryIO, name: str) -> Iterator[str | Problem]:
    """The text of a file in pieces of at most LONGEST bytes, each but the last ended by a blank line where there is
    one, else by a line break. CRLF becomes LF; lines that are no UTF-8 are problems and left out."""
    rest, first = b"", 1
    while read := raw.read(LONGEST - len(rest)):
        piece = rest + read
        if first == 1 and not rest:
            wrong = _stranger(piece[:_HEAD], name)
            if wrong:
                yield wrong
                return
        if len(piece) < LONGEST:  # a pipe gives less than it is asked for
            rest = piece
            continue
        end = piece.rfind(b"\n\n") + 2
        end = end if end > 1 else piece.rfind(b"\n") + 1
        end = end or _whole_characters(piece)
        rest = piece[end:]
        yield from _decoded(piece[:end], name, first)
        first += piece[:end].count(b"\n")
    if rest:
        yield from _decoded(rest, name, first)


def _stranger(head: bytes, name: str) -> Problem | None:
    """What a file is that is no UTF-8 text at all."""
    kind = foreign(head)
    if kind:
        return Problem("wrong-kind", Place(name), f"the file is {kind}, not rows of text")
    encoding = wide_encoding(head)
    if encoding:
        return Problem("encoding", Place(name), f"the file is {encoding}, not UTF-8", convert(name, encoding))
    return None


def _whole_characters(piece: bytes) -> int:
    """The end of the last whole character of some bytes."""
    end = len(piece) - 1
    while end > len(piece) - 4 and piece[end] & 0xC0 == 0x80:
        end -= 1
    return end


def _decoded(piece: bytes, name: str, first: int) -> Iterator[str | Problem]:
    """A piece of a file as text. Where it is not all good, line by line: the bad ones are named by their place."""
    try:
        if b"\x00" not in piece and not piece.startswith(b"\xef\xbb\xbf"):
            yield piece.decode().replace("\r\n", "\n")
            return
    except UnicodeDecodeError:
        pass
    good: list[str] = []
    for line in lines(io.BytesIO(piece), name, LONGEST):
        if isinstance(line, Line):
            good.append(f"{line.text}\n" if line.ended else line.text)
        else:
            yield dataclasses.replace(line, place=dataclasses.replace(line.place, line=line.place.line + first - 1))
    yield "".join(good)


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path)) if packed else path.open("rb")
