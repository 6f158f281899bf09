"""Reads a PDF in a process of its own, by pdfium and, where that fails, by pypdf; no page without text is silent."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dragoman.core.documents import Document
from dragoman.core.errors import UserError
from dragoman.data.documents import pdf_worker
from dragoman.data.documents.layout import Line, in_order
from dragoman.data.documents.pages import page_parts, without_running_heads
from dragoman.data.documents.parts import compose

__all__ = ["Bounds", "read_pdf"]

BY_HAND = "open it in a viewer and save it anew, or leave it out"
ODD = {
    "white": "letters are as white as paper",
    "tiny": "letters are too small to be seen, and were left out",
    "outside": "letters stand outside of the page, and were left out",
    "invisible": "letters are invisible: a scan with text behind it, or hidden text",
}
UNKNOWN = 0.3  # of a page's letters that have no meaning: then its font tells no letters
PACKAGES = "pip install 'dragoman[rag]'"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What reading one PDF may take."""

    pages: int = 5000
    characters: int = 20_000_000
    memory: int = 1 << 30
    "bytes beyond what the process has when it begins"
    cpu: int = 30
    "seconds of the processor"
    wall: int = 60
    "seconds"


def read_pdf(data: bytes, source: str, bounds: Bounds | None = None) -> Iterator[Document]:
    """The document of a PDF. Raises UserError where it cannot be read within its bounds."""
    bounds = bounds or Bounds()
    if not data[:1024].lstrip().startswith(b"%PDF"):
        raise UserError("it is no PDF", "give it the ending of what it is, or leave it out")
    head, pages, failed = _asked("pdfium", data, bounds)
    if failed and failed != "password":
        second = _asked("pypdf", data, bounds)
        if not second[2] or (failed == "absent" and second[2] != "absent"):
            head, pages, failed = second
    if failed:
        raise _failure(failed, bounds)
    lines = [in_order([Line(*run) for run in page["lines"]]) for page in pages]
    lines, dropped = without_running_heads(lines)
    told = [*_problems(pages, head, bounds), *dropped]
    meta = {"author": str(head["author"])} if head.get("author") else {}
    count = int(head.get("pages", len(pages)))
    yield compose(source, page_parts(lines), title=str(head.get("title", "")), pages=count, problems=told, meta=meta)


def _asked(task: str, data: bytes, bounds: Bounds) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """What the reading process told: of the file, of each page, and why it failed."""
    limits = (bounds.pages, bounds.characters, bounds.memory, bounds.cpu)
    command = [sys.executable, "-I", str(Path(pdf_worker.__file__)), task, *map(str, limits)]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=bounds.wall, check=False, env={})
    except subprocess.TimeoutExpired:
        return {}, [], "time"
    found: list[dict[str, Any]] = []
    for line in done.stdout.split(b"\n"):
        try:
            found.append(json.loads(line))
        except ValueError:  # the last line of a process that was stopped
            continue
    failed = next((str(one["error"]) for one in found if "error" in one), "")
    if not failed and not any("end" in one for one in found):
        failed = "time" if done.returncode in (-9, -24) else "memory" if b"MemoryError" in done.stderr else "broken"
    head = next((one for one in found if "pages" in one), {})
    return head, [one for one in found if "page" in one and "lines" in one], failed


def _failure(failed: str, bounds: Bounds) -> UserError:
    return {
        "password": UserError("it needs a password", "save it without one, or leave it out"),
        "time": UserError(f"it was not read within {bounds.cpu} seconds", BY_HAND),
        "memory": UserError(f"it asks for more than {bounds.memory >> 20:,} MiB", BY_HAND),
        "characters": UserError(f"it holds more than {bounds.characters:,} characters", "cut it into several files"),
        "absent": UserError("nothing that reads PDFs is installed", PACKAGES),
    }.get(failed, UserError("it is broken: no page can be read", BY_HAND))


def _problems(pages: Sequence[Mapping[str, Any]], head: Mapping[str, Any], bounds: Bounds) -> list[str]:
    """What a person should know of the pages."""
    told = []
    for page in pages:
        number, letters = page["page"], sum(len(run[0]) for run in page["lines"])
        if page.get("told"):
            told.append(f"page {number} cannot be read: {str(page['told'])[:200]}")
        elif not letters:
            why = "it is a scan" if page.get("pictures") else "it is empty"
            told.append(f"page {number} holds no text: {why}")
        elif page.get("unknown", 0) > UNKNOWN * letters:
            told.append(f"page {number}: its font does not say which letters it shows")
        told += [f"page {number}: {page[name]:,} {what}" for name, what in ODD.items() if page.get(name)]
        if page.get("cut"):
            told.append(f"page {number} was cut: it holds too many letters")
    if head.get("form"):
        told.append("it is a form: what was filled in is not read")
    if int(head.get("pages", 0)) > bounds.pages:
        told.append(f"of {head['pages']:,} pages {bounds.pages:,} were read")
    return told
