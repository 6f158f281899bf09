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

__all__ = ["PdfLimits", "read_pdf"]

HINT = "open it in a viewer and save it anew, or leave it out"
ODD = (
    ("tiny", "{} letters below 2 points were left out: a reader does not see them"),
    ("outside", "{} letters outside of the page were left out: a reader does not see them"),
    ("white", "{} letters are white: perhaps a reader does not see them"),
    ("invisible", "{} letters are drawn invisibly: read off a scan before, or hidden"),
    ("unknown", "{} letters have no known meaning: the file does not say which they are"),
)


@dataclass(frozen=True, slots=True)
class PdfLimits:
    """What one file may take."""

    memory: int = 1 << 30
    "bytes, beyond what Python has"
    seconds: int = 30
    "of computing"
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


def read_pdf(data: bytes, source: str, limits: PdfLimits | None = None) -> Iterator[Document]:
    """A PDF with the page of each block. Raises UserError where nothing of it can be read."""
    limits = limits or PdfLimits()
    if b"%PDF-" not in data[:1024]:
        begins = seen(data[:20].decode("latin-1"))[0].strip()
        raise UserError(f"it is no PDF: it begins with {begins!r}", "give it the ending of what it is")
    read = _read(data, "pdfium", limits)
    told: list[str] = []
    if not read.pages and read.error != "password":
        second = _read(data, "pypdf", limits)
        if second.error == "absent" and read.error == "absent":
            raise UserError("pypdfium2 and pypdf, which read PDFs, are not installed", "pip install 'dragoman[rag]'")
        if second.pages or read.error == "absent":
            read = second
            told.append("it was read by pypdf, which knows no columns")
    if not read.pages:
        raise _unread(read)
    pages = [in_order([Line(*line) for line in page["lines"]]) for page in read.pages]
    told += _scans(data, read, pages, limits)
    told += _told(read, limits)
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
        return UserError(f"it was stopped: {read.told}", HINT)
    return UserError("it is broken or cut off: no page of it can be read", HINT)


def _told(read: _Read, limits: PdfLimits) -> list[str]:
    told = []
    count = int(read.head["pages"])
    if count > limits.pages:
        told.append(f"it has {count:,} pages, and the first {limits.pages:,} were read")
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


def _scans(data: bytes, read: _Read, pages: list[list[Line]], limits: PdfLimits) -> list[str]:
    """Read the pages without text as pictures, in place; what is to be told of them."""
    told = []
    drawn = 0
    for place, page in enumerate(read.pages):
        number = page["page"]
        if pages[place] or page.get("told"):
            continue
        what = "it is a scan" if page.get("pictures") else "it is empty, or drawn without letters"
        if not ocr.ocr_engine():
            told.append(f"page {number} holds no text: {what}" + (f"; {ocr.HOW}" if page.get("pictures") else ""))
        elif drawn >= limits.scans:
            told.append(f"page {number} holds no text: {what}; {limits.scans} pages were read as pictures before it")
        else:
            drawn += 1
            why = _one_scan(data, number, pages, place, limits)
            told.append(f"page {number} holds no text: {what}; {why}")
    return told


def _one_scan(data: bytes, number: int, pages: list[list[Line]], place: int, limits: PdfLimits) -> str:
    drawing, error = _run(data, f"draw:{number}", limits, 64 << 20)
    head, _, points = drawing.partition(b"\n")
    try:
        size = json.loads(head)
        grey = np.frombuffer(points, dtype=np.uint8).reshape(size["height"], size["width"])  # [height, width]
    except (ValueError, KeyError, TypeError):
        return f"it cannot be drawn{': ' if error else ''}{error}"
    if int(grey.max()) - int(grey.min()) < 16:
        return "the page is blank"
    try:
        lines = ocr.read_picture(grey, float(size["scale"]))
    except (subprocess.SubprocessError, OSError, RuntimeError, ValueError) as failed:
        return f"{ocr.ocr_engine()} could not read it: {str(failed).splitlines()[0][:200] if str(failed) else 'no reason given'}"
    pages[place] = in_order(lines)
    return f"it was read by {ocr.ocr_engine()}" if lines else f"{ocr.ocr_engine()} found no text on it"


def _read(data: bytes, task: str, limits: PdfLimits) -> _Read:
    said, why = _run(data, task, limits, 256 << 20)
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
                "memory": f"it needs more than {limits.memory >> 20} MiB of memory",
                "characters": f"it holds more than {limits.characters:,} characters",
            }
            read.told = reasons.get(read.error, "")
            ended = True
        elif "page" in found:
            read.pages.append(found)
        elif "pages" in found:
            read.head = found
        ended = ended or "end" in found
    if not ended and not read.told:
        read.told = "its reader ended before the end"
    return read


def _run(data: bytes, task: str, limits: PdfLimits, most: int) -> tuple[bytes, str]:
    """What a process wrote, at the most `most` bytes of it, and why it was ended; empty where it ended by itself."""
    until = time.monotonic() + limits.wall
    words = [task, str(limits.pages), str(limits.characters), str(limits.memory), str(limits.seconds)]
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
                        why = f"it takes longer than {limits.wall:g} seconds"
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
    return b"".join(pieces), why or _ended(process.returncode, limits)


def _ended(code: int, limits: PdfLimits) -> str:
    """Why a process ended by its exit code."""
    if code in (-24, -9):
        return f"it takes more than {limits.seconds} seconds of computing"
    if code < 0:
        return f"its reader needed more than {limits.memory >> 20} MiB of memory, or broke (signal {-code})"
    return ""
