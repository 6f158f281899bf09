"""The documents of a source as plain texts, in order, and the share of them that is kept out of training."""

import gzip
import hashlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from dragoman.core.errors import UserError
from dragoman.core.project import Columns
from dragoman.core.show import Tick
from dragoman.data.columns import Schema, choose
from dragoman.data.lines import lines
from dragoman.data.problems import Problem, Row, refuse
from dragoman.data.read import scan
from dragoman.data.sources import File, find

__all__ = ["documents", "held_out"]

_LONGEST = 1 << 16  # characters of a paragraph; a longer one is several documents


def documents(source: str, column: str, tick: Tick) -> tuple[list[str], list[str]]:
    """Every document, and the guesses that were made in words.

    A text file is read by paragraphs, its line breaks kept, for a tokenizer meets them too; tables by rows, of which
    the text `column` is taken. Raises UserError where the source is not there or a row of it cannot be read.
    """
    texts: list[str] = []
    rows: list[Row] = []
    problems: list[Problem] = []
    schema = Schema()
    for found in _every(source):
        if isinstance(found, str):
            texts.append(found)
        elif isinstance(found, Problem):
            problems.append(found)
        else:
            schema.see(found)
            rows.append(found)
        if not (len(texts) + len(rows)) % 1000:
            tick(0.0, f"{len(texts) + len(rows):,} documents")
    refuse(problems, source)
    said: list[str] = []
    if rows:
        chosen, said = choose(schema, Columns(text=column), (), labelled=False)
        names = [chosen.text] if chosen.text in schema.columns else [name.strip() for name in chosen.text.split("+")]
        whole = ("\n".join(str(row.values.get(name) or "") for name in names) for row in rows)
        texts += [text for text in whole if text.strip()]
    if not texts:
        raise UserError(f"{source} holds no text", "give files with text: dragoman vocab SOURCE")
    return texts, [one for one in said if one.startswith("text")]


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


def _every(source: str) -> Iterator[str | Row | Problem]:
    if source == "-" or source.startswith(("builtin:", "hf:")):
        yield from scan(source, stdin=sys.stdin.buffer)
        return
    for found in find(source, Path()):
        if isinstance(found, File) and found.format == "txt":
            yield from _paragraphs(found)
        elif isinstance(found, File):
            yield from scan(str(found.path))
        else:
            yield found


def _paragraphs(file: File) -> Iterator[str | Problem]:
    """Each paragraph with the line breaks that follow it."""
    parts: list[str] = []
    size, blank = 0, False
    try:
        with _opened(file.path) as stream:
            for line in lines(stream, file.name):
                if isinstance(line, Problem):
                    yield line
                    continue
                full = bool(line.text.strip())
                if parts and ((full and blank) or size > _LONGEST):
                    yield "".join(parts)
                    parts, size = [], 0
                parts.append(f"{line.text}\n" if line.ended else line.text)
                size, blank = size + len(line.text), not full
    except (OSError, EOFError) as error:
        raise UserError(f"{file.name} cannot be read: {error}", "give another file: dragoman vocab SOURCE") from None
    if any(part.strip() for part in parts):
        yield "".join(parts)


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path)) if packed else path.open("rb")
