"""Reads documents: a file, a folder, a zip, or a built-in set; one that cannot be read never stops the rest."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dragoman.core.config import nearest
from dragoman.core.documents import Document
from dragoman.core.errors import UserError
from dragoman.data.documents.archive import open_archive
from dragoman.data.documents.docx import read_docx
from dragoman.data.documents.epub import read_epub
from dragoman.data.documents.html import read_html
from dragoman.data.documents.library import library_documents
from dragoman.data.documents.markdown import read_markdown
from dragoman.data.documents.pdf import read_pdf
from dragoman.data.documents.plain import read_python, read_rst, read_txt
from dragoman.data.documents.rows import read_json, read_json_lines, read_table
from dragoman.data.problems import Problem

__all__ = ["LARGEST", "READERS", "Unread", "read_documents"]

LARGEST = 512 << 20  # bytes of one file
BUILTIN = "builtin:"
Reader = Callable[[bytes, str], Iterator[Document | Problem]]
READERS: Mapping[str, Reader] = {
    ".pdf": read_pdf, ".docx": read_docx, ".epub": read_epub, ".html": read_html, ".htm": read_html,
    ".xhtml": read_html, ".md": read_markdown, ".markdown": read_markdown, ".rst": read_rst, ".txt": read_txt,
    ".text": read_txt, ".py": read_python, ".csv": read_table, ".tsv": read_table, ".jsonl": read_json_lines,
    ".json": read_json,
}  # fmt: skip
"what reads a file, by its ending"


@dataclass(frozen=True, slots=True)
class Unread:
    """A source that could not be read, why, and what helps."""

    source: str
    problem: str
    hint: str = ""


def read_documents(place: str | Path) -> Iterator[Document | Unread]:
    """Every document of a place, in the order of their names; hidden files and links that lead out are passed over.

    Raises UserError where there is no such place.
    """
    if str(place).startswith(BUILTIN):
        name = str(place).removeprefix(BUILTIN)
        if name != "stdlib":
            raise UserError(f"there are no documents {place}", nearest(name, ["stdlib"]))
        yield from library_documents()
        return
    path = Path(place)
    if not path.exists():
        raise UserError(f"there are no documents at {place}", "name a folder, a file, a zip or builtin:stdlib")
    if path.is_file():
        yield from _file(path, path.name)
        return
    root = path.resolve()
    for file in sorted(one for one in path.rglob("*") if one.is_file()):
        inside = file.relative_to(path)
        if any(part.startswith(".") for part in inside.parts) or not file.resolve().is_relative_to(root):
            continue
        yield from _file(file, inside.as_posix())


def _file(path: Path, source: str) -> Iterator[Document | Unread]:
    try:
        size = path.stat().st_size
        if size > LARGEST:
            yield Unread(source, f"it has {size:,} bytes, and {LARGEST:,} are read", "cut it into several files")
            return
        data = path.read_bytes()
    except OSError as error:
        yield Unread(source, f"it cannot be opened: {error.strerror}", "mend its permissions, or leave it out")
        return
    if path.suffix.lower() == ".zip":
        yield from _zip(data, source)
    else:
        yield from _read(data, source)


def _zip(data: bytes, source: str) -> Iterator[Document | Unread]:
    """What a zip holds; a zip within it is passed over and said."""
    try:
        archive = open_archive(data)
    except UserError as error:
        yield Unread(source, error.problem, error.hint)
        return
    for name in archive.names():
        inside = f"{source}/{name}"
        if any(part.startswith(".") and part != ".." for part in Path(name).parts):
            continue
        if name.lower().endswith(".zip"):
            yield Unread(inside, "it is an archive in an archive", "unpack it, and name the folder")
            continue
        try:
            data = archive.read(name)
        except UserError as error:
            yield Unread(inside, error.problem, error.hint)
            continue
        yield from _read(data, inside)


def _read(data: bytes, source: str) -> Iterator[Document | Unread]:
    """The documents of one file: by its ending, whatever goes wrong in it."""
    ending = Path(source).suffix.lower()
    reader = READERS.get(ending)
    if reader is None:
        what = f"files that end in {ending}" if ending else "files without an ending"
        yield Unread(source, f"{what} are not read", "convert it to txt, md, html, docx or pdf")
        return
    try:
        for one in reader(data, source):
            yield (
                one
                if isinstance(one, Document)
                else Unread(source, one.reason, one.fix or "mend the row, or leave it out")
            )
    except UserError as error:
        yield Unread(source, error.problem, error.hint)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, ArithmeticError) as error:
        # A file that a reader falls over is a file that could not be read: the others still are.
        yield Unread(
            source, f"it is broken: {type(error).__name__}: {str(error)[:200]}", "save it anew, or leave it out"
        )
