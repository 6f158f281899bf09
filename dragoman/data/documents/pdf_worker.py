"""What reads a PDF beside the program: a process of its own with limits of memory and time, JSON lines as its answer.

It is started by `data.documents.pdf` in Python's isolated mode, in an empty environment, with the file as its input. A
PDF is a program in a language of its own: one of a few kilobytes may ask for gigabytes or for hours.
"""

import ctypes
import json
import math
import os
import resource
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["main"]

TINY = 2.0  # points; letters below it are not read by people
WHITE = 250  # of 255
CHARACTERS = 200_000  # of one page; a page of a newspaper has 30,000
PIXELS = 12_000_000  # of one drawn page: A4 at 300 points an inch has 8.7 million
Run = list[Any]  # text, x0, y0, x1, y1, size


def main(task: str, pages: int, characters: int, memory: int, seconds: int) -> None:
    """Answer with a line for the file, a line a page, and one at the end. `task` is pdfium, pypdf, or draw:PAGE."""
    _limit(memory, seconds)
    data = sys.stdin.buffer.read()
    try:
        if task.startswith("draw:"):
            _draw(data, int(task.removeprefix("draw:")))
        elif task == "pdfium":
            _pdfium(data, pages, characters)
        else:
            _pypdf(data, pages, characters)
    except MemoryError:
        _say({"error": "memory"})
    except ImportError as error:
        _say({"error": "absent", "told": str(error)})


def _limit(memory: int, seconds: int) -> None:
    if sys.platform == "linux":
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + memory, held + memory))
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _say(line: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(line).encode() + b"\n")
    sys.stdout.buffer.flush()


def _pdfium(data: bytes, pages: int, characters: int) -> None:
    import pypdfium2 as pdfium

    try:
        file = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        _say({"error": "password" if "assword" in str(error) else "broken", "told": str(error)})
        return
    named = file.get_metadata_dict(skip_empty=True)
    _say({"pages": len(file), "title": named.get("Title", "")[:500], "author": named.get("Author", "")[:500],
          "form": bool(file.get_formtype())})  # fmt: skip
    for number in range(min(len(file), pages)):
        try:
            page = file[number]
            found = _page(page)
            page.close()
        except pdfium.PdfiumError as error:
            found = {"told": str(error), "lines": []}
        characters -= sum(len(run[0]) for run in found["lines"])
        if characters < 0:
            _say({"error": "characters"})
            return
        _say({"page": number + 1, **found})
    _say({"end": True})


def _page(page: Any) -> dict[str, Any]:
    """The runs of a page in points from the top left corner of its upright text, and counts of what is odd."""
    import pypdfium2.raw as raw

    text = page.get_textpage()
    count = min(text.count_chars(), CHARACTERS)
    turns: list[int] = []
    turn = 0
    before_space = True
    letters: list[int] = []
    for index in range(count):
        letter = raw.FPDFText_GetUnicode(text, index)
        letters.append(letter)
        if letter > 32 and before_space:
            turn = round(raw.FPDFText_GetCharAngle(text, index) / (math.pi / 2)) % 4
        before_space = letter <= 32
        turns.append(turn)
    upright = Counter(turns).most_common(1)[0][0] if turns else 0
    box = _box(raw, page)
    odd: Counter[str] = Counter()
    lines = []
    for first, last, run in _runs(raw, text, letters, turns, upright, box):
        _look(raw, text, (first + last) // 2, run, odd)
        left, right, height = run[1], run[3], (run[2] + run[4]) / 2
        high = box[2] - box[0] if upright % 2 else box[3] - box[1]
        wide = box[3] - box[1] if upright % 2 else box[2] - box[0]
        if 0 < run[5] < TINY:
            odd["tiny"] += len(run[0])
        elif run[1] != run[3] and (right < 0 or left > wide or height < 0 or height > high):
            odd["outside"] += len(run[0])
        else:
            lines.append([run[0], *(round(number, 2) for number in run[1:])])
    pictures = sum(1 for one in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3))
    odd["unknown"] = sum(letters.count(one) for one in (0, 0xFFFD)) + sum(0xE000 <= one <= 0xF8FF for one in letters)
    return {"lines": lines, "pictures": pictures, "signs": count, "cut": text.count_chars() > count, **odd}


def _box(raw: Any, page: Any) -> tuple[float, float, float, float]:
    """Left, bottom, right, top of what is shown of a page."""
    shown = raw.FS_RECTF()
    if not raw.FPDF_GetPageBoundingBox(page, ctypes.byref(shown)):
        return 0.0, 0.0, *page.get_size()
    return shown.left, shown.bottom, shown.right, shown.top


def _runs(
    raw: Any, text: Any, letters: list[int], turns: list[int], upright: int, box: tuple[float, float, float, float]
) -> Iterator[tuple[int, int, Run]]:
    """Letters that follow each other on one line without a gap as wide as a letter is high: first, last, run."""
    rectangle = raw.FS_RECTF()
    run: Run = []
    first = last = 0
    for index, letter in enumerate(letters):
        if letter in (10, 13):
            if run:
                yield first, last, run
            run = []
            continue
        if letter <= 32 and letter != 2:
            if run and not run[0].endswith(" "):
                run[0] += " "
            continue
        raw.FPDFText_GetLooseCharBox(text, index, ctypes.byref(rectangle))
        x0, y0, x1, y1 = _turned(rectangle.left, rectangle.bottom, rectangle.right, rectangle.top, turns[index], box)
        sign = "-" if letter in (2, 0xFFFE) else chr(letter)  # how pdfium writes the hyphen at the end of a line
        gap, height = 0.0, 1.0
        if run:
            height, middle = max(1.0, run[4] - run[2]), (y0 + y1) / 2
            gap = x0 - run[3]
            if turns[index] != turns[last] or not run[2] <= middle <= run[4] or not -height < gap < height:
                yield first, last, run
                run = []
        if not run:
            run, first = [sign, x0, y0, x1, y1, 0.0], index
        else:
            run[0] += (" " if gap > 0.25 * height and not run[0].endswith(" ") else "") + sign
            run[3] = max(run[3], x1)
        last = index
    if run:
        yield first, last, run


def _turned(
    left: float, bottom: float, right: float, top: float, turn: int, box: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 of a box in a page that was turned so that this text is upright, y downwards."""
    low_x, low_y, high_x, high_y = box
    if turn == 0:
        return left - low_x, high_y - top, right - low_x, high_y - bottom
    if turn == 1:
        return high_y - top, high_x - right, high_y - bottom, high_x - left
    if turn == 2:
        return high_x - right, bottom - low_y, high_x - left, top - low_y
    return bottom - low_y, left - low_x, top - low_y, right - low_x


def _look(raw: Any, text: Any, index: int, run: Run, odd: Counter[str]) -> None:
    """The size of a run's letters, and whether they can be seen."""
    matrix = raw.FS_MATRIX()
    if raw.FPDFText_GetMatrix(text, index, ctypes.byref(matrix)):
        run[5] = raw.FPDFText_GetFontSize(text, index) * math.hypot(matrix.c, matrix.d)
    if run[5] < 0.4 * (run[4] - run[2]):  # the scale stands around the text, not in it
        run[5] = (run[4] - run[2]) / 1.2
    thing = raw.FPDFText_GetTextObject(text, index)
    if thing and raw.FPDFTextObj_GetTextRenderMode(thing) == raw.FPDF_TEXTRENDERMODE_INVISIBLE:
        odd["invisible"] += len(run[0])
        return
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    if raw.FPDFText_GetFillColor(text, index, *map(ctypes.byref, (red, green, blue, alpha))) and (
        min(red.value, green.value, blue.value) >= WHITE or alpha.value == 0
    ):
        odd["white"] += len(run[0])


def _pypdf(data: bytes, pages: int, characters: int) -> None:
    import io
    import logging

    import pypdf
    from pypdf.errors import DependencyError, PyPdfError

    logging.disable(logging.CRITICAL)
    broken = (PyPdfError, DependencyError, ValueError, KeyError, TypeError, AttributeError, IndexError, RuntimeError,
              OSError, AssertionError, ArithmeticError)  # fmt: skip
    try:
        file = pypdf.PdfReader(io.BytesIO(data))
        if file.is_encrypted and not file.decrypt(""):
            _say({"error": "password"})
            return
        count, named = len(file.pages), file.metadata
        title = str((named and named.get("/Title")) or "")[:500]
        author = str((named and named.get("/Author")) or "")[:500]
    except broken as error:
        kind = "password" if "ncrypt" in type(error).__name__ or isinstance(error, DependencyError) else "broken"
        _say({"error": kind, "told": f"{error}"[:300]})
        return
    _say({"pages": count, "title": title, "author": author})
    for number in range(min(count, pages)):
        told, text, pictures = "", "", 0
        try:
            page = file.pages[number]
            text = page.extract_text()[:CHARACTERS]
            pictures = sum(1 for _ in page.images)
        except broken as error:
            told = f"{type(error).__name__}: {error}"[:300]
        characters -= len(text)
        if characters < 0:
            _say({"error": "characters"})
            return
        lines = [
            [one.strip(), 0, 12 * row, 1, 12 * row + 10, 0] for row, one in enumerate(text.split("\n")) if one.strip()
        ]
        _say({"page": number + 1, "lines": lines, "pictures": pictures, **({"told": told} if told else {})})
    _say({"end": True})


def _draw(data: bytes, number: int) -> None:
    """One page as grey points: a line with width and height, then a byte a point, row by row."""
    import pypdfium2 as pdfium

    file = pdfium.PdfDocument(data)
    page = file[number - 1]
    width, height = page.get_size()
    scale = min(300 / 72, math.sqrt(PIXELS / max(1.0, width * height)))
    drawn = page.render(scale=scale, grayscale=True)
    _say({"width": drawn.width, "height": drawn.height, "scale": scale})
    view = memoryview(drawn.buffer).cast("B")
    for row in range(drawn.height):
        sys.stdout.buffer.write(view[row * drawn.stride : row * drawn.stride + drawn.width])
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1], *(int(one) for one in sys.argv[2:6]))
    os._exit(0)  # without the readers' own clearing up, which may fall over a broken file
