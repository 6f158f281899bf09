"""Reads PDFs: the file is parsed in a process with limits, its lines are ordered and made a document here."""

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dragoman.core.documents import Document
from dragoman.core.errors import UserError
from dragoman.data.documents import ocr, pdf_worker
from dragoman.data.documents.layout import Line, in_order
from dragoman.data.documents.pages import page_parts, without_running_heads
from dragoman.data.documents.parts import compose, seen

__all__ = ["Bounds", "read_pdf"]

HINT = "open it in a viewer and save it anew, or leave it out"
ODD = (
    ("tiny", "{:,} letters are too small to be seen, and were left out"),
    ("outside", "{:,} letters stand outside of the page, and were left out"),
    ("white", "{:,} letters are as white as paper"),
    ("invisible", "{:,} letters are invisible: a scan with text behind it, or hidden text"),
    ("unknown", "its font does not say which letters {:,} of its signs are"),
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What reading one PDF may take."""

    memory: int = 1 << 30
    "bytes, beyond what Python has"
    cpu: int = 30
    "seconds of the processor"
    wall: float = 60.0
    "seconds from its start to its end"
    pages: int = 2000
    characters: int = 10_000_000
    scans: int = 50
    "pages without text that are read as pictures; 0 reads none. A page takes 1 to 20 seconds"


@dataclass(slots=True)
class _Read:
    """What one process told of a file."""

    head: dict[str, Any] = field(default_factory=dict)
    pages: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""
    told: str = ""
    "why it ended before the end; empty where it did not"


def read_pdf(data: bytes, source: str, bounds: Bounds | None = None) -> Iterator[Document]:
    """A PDF with the page of each block. Raises UserError where nothing of it can be read."""
    bounds = bounds or Bounds()
    if b"%PDF-" not in data[:1024]:
        begins = seen(data[:20].decode("latin-1"))[0].strip()
        raise UserError(f"it is no PDF: it begins with {begins!r}", "give it the ending of what it is")
    read = _read(data, "pdfium", bounds)
    told: list[str] = []
    if not read.pages and read.error != "password":
        second = _read(data, "pypdf", bounds)
        if second.error == "absent" and read.error == "absent":
            raise UserError("pypdfium2 and pypdf, which read PDFs, are not installed", "pip install 'dragoman[rag]'")
        if second.pages or read.error == "absent":
            read = second
            told.append("it was read by pypdf, which knows no columns")
    if not read.pages:
        raise _unread(read)
    pages = [in_order([Line(*line) for line in page["lines"]]) for page in read.pages]
    told += _scans(data, read, pages, bounds)
    told += _told(read, bounds)
    kept, dropped = without_running_heads(pages)
    meta = {"author": read.head["author"]} if read.head.get("author") else {}
    parts = page_parts(kept)
    first = next((part.text for part in parts if part.kind == "heading" and part.page == 1), "")
    title = read.head.get("title") or first
    yield compose(source, parts, title=title, pages=int(read.head["pages"]), problems=[*told, *dropped], meta=meta)


def _unread(read: _Read) -> UserError:
    if read.error == "password":
        return UserError("it needs a password", "take the password off, for example with qpdf")
    if read.told:
        return UserError(read.told, HINT)
    return UserError("it is broken or cut off: no page of it can be read", HINT)


def _told(read: _Read, bounds: Bounds) -> list[str]:
    told = []
    count = int(read.head["pages"])
    if count > bounds.pages:
        told.append(f"it has {count:,} pages, and the first {bounds.pages:,} were read")
    if read.told:
        told.append(f"it was stopped after page {len(read.pages)} of {count}: {read.told}")
    if read.head.get("form"):
        told.append("what is filled into its form was not read")
    for page in read.pages:
        number = page["page"]
        told += [f"page {number}: {text.format(page[name])}" for name, text in ODD if page.get(name)]
        told += [f"page {number} was cut off: it holds too many letters"] if page.get("cut") else []
        told += [f"page {number} is broken: {page['told']}"] if page.get("told") else []
    return told


def _scans(data: bytes, read: _Read, pages: list[list[Line]], bounds: Bounds) -> list[str]:
    """Read the pages without text as pictures, in place; what is to be told of them."""
    told = []
    drawn = waiting = 0
    for place, page in enumerate(read.pages):
        number = page["page"]
        if pages[place] or page.get("told"):
            continue
        told.append(f"page {number} holds no text: {'it is a scan' if page.get('pictures') else 'it is empty'}")
        if not page.get("pictures") and not page.get("signs"):
            continue
        if not ocr.ocr_engine() or drawn >= bounds.scans:
            waiting += 1
            continue
        drawn += 1
        told.append(f"page {number}: {_one_scan(data, number, pages, place, bounds)}")
    if waiting:
        why = f"{drawn} were before them" if ocr.ocr_engine() else ocr.HOW
        told.append(f"{waiting} pages were not read as pictures: {why}")
    return told


def _one_scan(data: bytes, number: int, pages: list[list[Line]], place: int, bounds: Bounds) -> str:
    drawing, error = _run(data, f"draw:{number}", bounds, 64 << 20)
    head, _, points = drawing.partition(b"\n")
    try:
        size = json.loads(head)
        grey = np.frombuffer(points, dtype=np.uint8).reshape(size["height"], size["width"])  # [height, width]
    except (ValueError, KeyError, TypeError):
        return f"it cannot be drawn as a picture{': ' if error else ''}{error}"
    if int(grey.max()) - int(grey.min()) < 16:
        return "the page is blank"
    try:
        lines = ocr.read_picture(grey, float(size["scale"]))
    except (subprocess.SubprocessError, OSError, RuntimeError, ValueError) as failed:
        why = f"{failed}".partition("\n")[0][:200]
        return f"{ocr.ocr_engine()} could not read it: {why}"
    pages[place] = in_order(lines)
    return f"it was read by {ocr.ocr_engine()}" if lines else f"{ocr.ocr_engine()} found no text on it"


def _read(data: bytes, task: str, bounds: Bounds) -> _Read:
    said, why = _run(data, task, bounds, 256 << 20)
    read = _Read(told=why)
    ended = False
    for line in said.split(b"\n"):
        try:
            found = json.loads(line)
        except ValueError:
            continue  # the last line of a process that was killed while it wrote
        if "error" in found:
            read.error = found["error"]
            reasons = {
                "memory": f"it asks for more than {bounds.memory >> 20} MiB of memory",
                "characters": f"it holds more than {bounds.characters:,} characters",
            }
            read.told = reasons.get(read.error, "")
            ended = True
        elif "page" in found:
            read.pages.append(found)
        elif "pages" in found:
            read.head = found
        ended = ended or "end" in found
    if not ended and not read.told and read.head:
        read.told = "its reader broke"
    return read


def _run(data: bytes, task: str, bounds: Bounds, most: int) -> tuple[bytes, str]:
    """What a process wrote, at the most `most` bytes of it, and why it was ended; empty where it ended by itself."""
    until = time.monotonic() + bounds.wall
    words = [task, str(bounds.pages), str(bounds.characters), str(bounds.memory), str(bounds.cpu)]
    pieces: list[bytes] = []
    size, why = 0, ""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryDirectory(prefix="pdf-") as folder:
        given.write(data)
        given.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(pdf_worker.__file__), *words],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            cwd=folder,
        )
        assert process.stdout is not None
        with process.stdout as pipe:
            try:
                while True:
                    ready, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
                    if not ready:
                        why = f"it was not read within {bounds.wall:g} seconds"
                        break
                    if not (piece := os.read(pipe.fileno(), 1 << 16)):
                        break
                    pieces.append(piece)
                    size += len(piece)
                    if size > most:
                        why = f"its text takes more than {most >> 20} MiB"
                        break
            finally:
                if why:
                    process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=5)
                if process.poll() is None:
                    process.kill()
                    process.wait()
    return b"".join(pieces), why or _ended(process.returncode, bounds)


def _ended(code: int, bounds: Bounds) -> str:
    """Why a process ended by its exit code."""
    if code in (-24, -9):
        return f"it was not read within {bounds.cpu} seconds of computing"
    if code < 0:
        return f"it asks for more than {bounds.memory >> 20} MiB of memory, or breaks its reader (signal {-code})"
    return ""
