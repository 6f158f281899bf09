"""Reads Word documents: headings, paragraphs, lists and tables in their order."""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

from dragoman.core.documents import Document, Value
from dragoman.core.errors import UserError
from dragoman.data.documents.archive import Limits, open_archive, problem_of
from dragoman.data.documents.parts import Part, compose

__all__ = ["read_docx"]

HEADING = re.compile(r"heading (\d)", re.IGNORECASE)


def read_docx(data: bytes, source: str) -> Iterator[Document]:
    """A .docx file. Text that is marked as hidden is left out and told. Raises UserError where it cannot be read."""
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise UserError("it is locked by a password, or an old .doc", "save it as .docx without a password")
    try:
        import docx
    except ImportError:
        raise UserError("python-docx, which reads .docx, is not installed", "pip install 'dragoman[rag]'") from None
    _check(data)
    try:
        opened: Any = docx.Document(io.BytesIO(data))
        hidden: list[int] = []
        parts = _listed(part for one in opened.iter_inner_content() for part in _parts(one, hidden))
        named: Any = opened.core_properties
        title, author = str(named.title or ""), str(named.author or "")
    except (KeyError, ValueError, AttributeError, TypeError, zipfile.BadZipFile, OSError, RecursionError) as error:
        raise UserError(f"it is no Word document that can be read: {error}", "save it anew, or leave it out") from None
    except Exception as error:  # lxml and python-docx raise kinds of their own, which need them to be named
        if type(error).__module__.split(".")[0] not in ("lxml", "docx"):
            raise
        raise UserError(f"it is no Word document that can be read: {error}", "save it anew, or leave it out") from None
    meta: dict[str, Value] = {"author": author} if author and author != "python-docx" else {}
    first = next((part.text for part in parts if part.kind in ("title", "heading")), "")
    told = [f"{len(hidden)} hidden passages were left out: a reader does not see them"] if hidden else []
    yield compose(source, parts, title=title if title != "Word Document" and title else first, problems=told, meta=meta)


def _check(data: bytes) -> None:
    limits = Limits()
    entries = open_archive(data, limits).file.infolist()
    if sum(entry.file_size for entry in entries) > limits.total:
        raise UserError(f"it unpacks to more than {limits.total:,} bytes", "leave out its pictures, or leave it out")
    for entry in entries:
        if told := problem_of(entry, limits):
            raise UserError(told, "save it anew, or leave it out")


def _listed(parts: Iterable[Part]) -> list[Part]:
    """The parts, each run of items made one list."""
    listed: list[Part] = []
    for part in parts:
        if part.kind == "list" and listed and listed[-1].kind == "list":
            listed[-1] = Part(f"{listed[-1].text}\n{part.text}", "list")
        else:
            listed.append(part)
    return listed


def _parts(one: Any, hidden: list[int]) -> Iterator[Part]:
    if hasattr(one, "rows"):
        yield Part("\n".join(_rows(one, hidden)), "table")
        return
    text = _text(one, hidden)
    style = str(one.style.name) if one.style is not None else ""
    if found := HEADING.match(style):
        yield Part(" ".join(text.split()), "heading", int(found[1]))
    elif style == "Title":
        yield Part(" ".join(text.split()), "title")
    elif style.startswith("List") or one._p.xpath("./w:pPr/w:numPr"):
        yield Part(f"- {text}" if text.strip() else "", "list")
    else:
        yield Part(text, "caption" if style == "Caption" else "paragraph")


def _text(paragraph: Any, hidden: list[int]) -> str:
    pieces = []
    for inner in paragraph.iter_inner_content():
        for run in getattr(inner, "runs", [inner]):
            if run.font.hidden:
                hidden.append(1)
            else:
                pieces.append(str(run.text))
    return "".join(pieces)


def _rows(table: Any, hidden: list[int]) -> Iterator[str]:
    for row in table.rows:
        cells: list[str] = []
        last = None
        for cell in row.cells:
            if cell._tc is not last:  # a merged cell is given once for each of its columns
                cells.append(" ".join(" ".join(_text(one, hidden) for one in cell.paragraphs).split()))
            last = cell._tc
        yield " | ".join(cells)
