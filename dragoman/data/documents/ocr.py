"""Reads text off a picture of a page with what is installed: RapidOCR, else the program tesseract, else nothing."""

import importlib.util
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dragoman.data.documents.layout import Line

__all__ = ["HOW", "Found", "ocr_engine", "read_picture", "upright"]

HOW = "pip install 'dragoman[ocr]', or install the program tesseract, and they are"
SECONDS = 120.0  # that tesseract may take for a page
SURE = 0.5  # a line that was read with less is left out
Found = tuple[str, float, float, float, float]
"a line and its left, top, right and bottom"


@cache
def ocr_engine() -> str:
    """`rapidocr`, `tesseract`, or nothing where neither is installed."""
    if importlib.util.find_spec("rapidocr") and importlib.util.find_spec("onnxruntime"):
        return "rapidocr"
    return "tesseract" if shutil.which("tesseract") else ""


def read_picture(grey: NDArray[np.uint8], scale: float) -> list[Line]:
    """The lines on a picture [height, width], `scale` dots a point; tried turned where it is not upright."""
    if ocr_engine() == "tesseract":
        return _in_points(_by_tesseract(grey), scale)
    found = _by_rapid(grey)
    if not upright(found):
        turned = [(_by_rapid(np.ascontiguousarray(np.rot90(grey, quarters))), quarters) for quarters in (1, 3)]
        found = max([found, *(lines for lines, _ in turned)], key=_sense)
    return _in_points(found, scale)


def upright(found: Sequence[Found]) -> bool:
    """Whether most of the letters stand in lines that are wider than they are high."""
    wide = sum(len(text) for text, x0, y0, x1, y1 in found if x1 - x0 >= y1 - y0)
    return 2 * wide >= sum(len(text) for text, *_ in found)


def _sense(found: Sequence[Found]) -> int:
    """Letters in words of three and more that stand upright."""
    return sum(
        len(word)
        for text, x0, y0, x1, y1 in found
        if x1 - x0 >= y1 - y0
        for word in text.split()
        if len(word) > 2 and word.strip(".,;:!?()'\"").isalpha()
    )


def _in_points(found: Sequence[Found], scale: float) -> list[Line]:
    # The size of letters is not known well enough from their boxes to tell a heading by it: 0.
    return [Line(text, x0 / scale, y0 / scale, x1 / scale, y1 / scale) for text, x0, y0, x1, y1 in found]


@cache
def _rapid() -> Any:
    from rapidocr import RapidOCR

    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.max_side_len": 4000,
            "EngineConfig.onnxruntime.intra_op_num_threads": 2,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def _by_rapid(grey: NDArray[np.uint8]) -> list[Found]:
    said = _rapid()(np.stack([grey] * 3, axis=-1))
    if not len(said):
        return []
    found: list[Found] = []
    for box, text, sure in zip(said.boxes, said.txts, said.scores, strict=True):
        if sure >= SURE and str(text).strip():
            (x0, y0), (x1, y1) = np.min(box, axis=0), np.max(box, axis=0)
            found.append((str(text), float(x0), float(y0), float(x1), float(y1)))
    return found


def _by_tesseract(grey: NDArray[np.uint8]) -> list[Found]:
    """Tesseract's own lines, by its table of words (TSV)."""
    height, width = grey.shape
    picture = b"P5 %d %d 255\n" % (width, height) + grey.tobytes()
    words = ["tesseract", "stdin", "stdout", "--psm", "1", "tsv"]
    done = subprocess.run(words, input=picture, capture_output=True, timeout=SECONDS, check=True)
    rows: dict[tuple[str, ...], list[tuple[str, int, int, int, int]]] = {}
    for line in done.stdout.decode("utf-8", "replace").splitlines()[1:]:
        cells = line.split("\t")
        if len(cells) >= 12 and cells[0] == "5" and cells[11].strip():
            x, y, wide, high = (int(cell) for cell in cells[6:10])
            rows.setdefault(tuple(cells[1:5]), []).append((cells[11].strip(), x, y, x + wide, y + high))
    return [
        (
            " ".join(word[0] for word in words),
            float(min(word[1] for word in words)),
            float(min(word[2] for word in words)),
            float(max(word[3] for word in words)),
            float(max(word[4] for word in words)),
        )
        for words in rows.values()
    ]
