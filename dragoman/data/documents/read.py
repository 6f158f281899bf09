"""Reads documents from wherever they lie: a file, a folder, a zip file, or Python's own manual."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from dragoman.core.config import nearest
from dragoman.core.documents import Document
from dragoman.core.errors import UserError
from dragoman.data.documents.archive import Limits, open_archive
from dragoman.data.documents.docx import read_docx
from dragoman.data.documents.epub import read_epub
from dragoman.data.documents.html import read_html
from dragoman.data.documents.library import library_documents
from dragoman.data.documents.markdown import read_markdown
from dragoman.data.documents.pdf import Bounds, read_pdf
from dragoman.data.documents.plain import read_python, read_rst, read_txt
from dragoman.data.documents.rows import read_json, read_json_lines, read_table
from dragoman.data.problems import Problem

__all__ = ["FORMATS", "Unread", "read_documents"]

Reader = Callable[[bytes, str], Iterator[Document | Problem]]
FORMATS: dict[str, Callable[[bytes, str], Iterator[Document]] | Reader] = {
    ".txt": read_txt,
    ".text": read_txt,
    ".log": read_txt,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".rst": read_rst,
    ".html": read_html,
    ".htm": read_html,
    ".xhtml": read_html,
    ".docx": read_docx,
    ".epub": read_epub,
    ".csv": read_table,
    ".tsv": read_table,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".json": read_json,
    ".py": read_python,
    ".pdf": read_pdf,
}
"what reads a file, by its ending"
FILE_LIMIT = 512 << 20  # bytes that are read of one file
BUILTIN = "builtin:stdlib"
LEAVE = "leave it out, or convert it to text"


@dataclass(frozen=True, slots=True)
class Unread:
    """A file, or a row of one, that could not be read, and what mends that."""

    source: str
    problem: str
    hint: str = ""


def read_documents(
    place: str | Path, *, pdf: Bounds | None = None, archive: Limits | None = None
) -> Iterator[Document | Unread]:
    """Every document at a place, in the order of their names; what cannot be read is given as such, in its turn.

    A place is a file, a folder (with those in it; hidden files and links that lead out of it are left alone), a zip
    file, or `builtin:stdlib`. One bad file never stops the rest. Raises UserError when there is no such place.
    """
    if str(place).startswith("builtin:"):
        if str(place) != BUILTIN:
            name = str(place).removeprefix("builtin:")
            raise UserError(
                f"there are no built-in documents '{name}'", f"{nearest(name, ['stdlib'])}; write {BUILTIN}"
            )
        return library_documents()
    path = Path(place)
    if not path.exists():
        raise UserError(f"there is no {place}", "name a file, a folder or a zip file of documents, or builtin:stdlib")
    return _all(path, pdf or Bounds(), archive or Limits())


def _all(path: Path, pdf: Bounds, archive: Limits) -> Iterator[Document | Unread]:
    if path.is_dir():
        for file, name in _files(path):
            yield from _file(file, name, pdf, archive)
    else:
        yield from _file(path, path.name, pdf, archive)


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """The files of a folder and their names from it, sorted; hidden ones and those that lie outside are left out."""
    home = folder.resolve()
    found = []
    for root, folders, names in os.walk(folder):  # links to folders are not followed
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        for name in names:
            file = Path(root) / name
            if not name.startswith(".") and (not file.is_symlink() or file.resolve().is_relative_to(home)):
                found.append((file, file.relative_to(folder).as_posix()))
    return iter(sorted(found, key=lambda pair: pair[1]))


def _file(file: Path, name: str, pdf: Bounds, archive: Limits) -> Iterator[Document | Unread]:
    name = _sayable(name)
    try:
        if not file.is_file():
            yield Unread(name, "it is no file that can be read: a pipe, a device, or a link to nothing", "leave it out")
            return
        if file.stat().st_size > FILE_LIMIT:
            told = f"it has {file.stat().st_size:,} bytes, and {FILE_LIMIT:,} are read"
            yield Unread(name, told, "cut it into several files")
            return
        if file.suffix.lower() != ".zip" and file.suffix.lower() not in FORMATS:
            yield _unknown(name)
            return
        data = file.read_bytes()
    except OSError as error:
        yield Unread(name, f"it cannot be opened: {error.strerror or error}", "mend its permissions, or leave it out")
        return
    if file.suffix.lower() == ".zip":
        yield from _zip(data, name, pdf, archive)
    else:
        yield from _documents(data, name, pdf)


def _zip(data: bytes, name: str, pdf: Bounds, archive: Limits) -> Iterator[Document | Unread]:
    try:
        opened = open_archive(data, archive)
    except UserError as error:
        yield Unread(name, error.problem, error.hint)
        return
    for inner in opened.names():
        if any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in PurePosixPath(inner).parts):
            continue
        called = f"{name}/{_sayable(inner)}"
        suffix = PurePosixPath(inner).suffix.lower()
        if suffix not in FORMATS:
            packed = suffix in (".zip", ".gz", ".tar", ".7z", ".rar", ".bz2", ".xz", ".tgz", ".zst")
            told = "it is an archive in an archive, which is not opened"
            yield Unread(called, told, "unpack it yourself, and name the folder") if packed else _unknown(called)
            continue
        try:
            unpacked = opened.read(inner)
        except UserError as error:
            yield Unread(called, error.problem, error.hint)
            continue
        yield from _documents(unpacked, called, pdf)


def _documents(data: bytes, name: str, pdf: Bounds) -> Iterator[Document | Unread]:
    suffix = PurePosixPath(name).suffix.lower()
    reader = partial(read_pdf, bounds=pdf) if suffix == ".pdf" else FORMATS[suffix]
    try:
        if not data:
            raise UserError("it is empty", "leave it out")
        for found in reader(data, name):
            if isinstance(found, Problem):
                yield Unread(f"{name}#{found.place.line}", found.reason, found.fix or "mend this row, or leave it out")
            else:
                yield found
    except UserError as error:
        yield Unread(name, error.problem, error.hint)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, ArithmeticError) as error:
        # A file that its reader falls over is a file that could not be read: the others still are.
        yield Unread(name, f"it is broken: {type(error).__name__}: {str(error)[:200]}", LEAVE)


def _unknown(name: str) -> Unread:
    suffix = PurePosixPath(name).suffix
    what = f"files that end with {suffix}" if suffix else "files without an ending"
    return Unread(name, f"{what} are not read", f"{LEAVE}; read are {' '.join(sorted(FORMATS))}")


def _sayable(name: str) -> str:
    """A name that can be written: bytes that are no UTF-8 shown as such."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
