"""Pages without text are read as pictures where something that reads them is installed."""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dragoman.data.documents.ocr import ocr_engine, read_picture, upright
from dragoman.data.documents.pdf import Bounds, read_pdf

PROGRAM = """#!{python}
import sys
data = sys.stdin.buffer.read()
assert data.startswith(b"P5 "), data[:10]
print("level\\tpage\\tblock\\tpar\\tline\\tword\\tleft\\ttop\\twidth\\theight\\tconf\\ttext")
for place, word in enumerate("Read off a scan".split()):
    print(f"5\\t1\\t1\\t1\\t1\\t{{place}}\\t{{100 + 80 * place}}\\t100\\t60\\t30\\t90\\t{{word}}")
"""


@pytest.fixture
def scan(shared_data: Path) -> bytes:
    """A page of two columns that was scanned."""
    path = shared_data / "pdf" / "linn_scan_two_column.pdf"
    if not path.is_file():
        pytest.skip("the scan is not here")
    return path.read_bytes()


@pytest.fixture
def tesseract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A program of that name that reads the same words off every page."""
    path = tmp_path / "tesseract"
    path.write_text(PROGRAM.format(python=sys.executable))
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    ocr_engine.cache_clear()
    yield
    ocr_engine.cache_clear()


@pytest.mark.usefixtures("tesseract")
def test_a_scan_is_read_by_tesseract(scan: bytes) -> None:
    assert ocr_engine() == "tesseract"
    (found,) = read_pdf(scan, "scan.pdf")
    assert found.text == "Read off a scan" and found.blocks[0].page == 1
    assert found.problems == ("page 1 holds no text: it is a scan", "page 1: it was read by tesseract")
    (left,) = read_pdf(scan, "scan.pdf", Bounds(scans=0))
    assert left.text == "" and "page 1 holds no text: it is a scan" in left.problems


@pytest.mark.usefixtures("tesseract")
def test_places_are_in_points() -> None:
    (line,) = read_picture(np.full((40, 40), 255, dtype=np.uint8), 2.0)
    assert (line.text, line.x0, line.y0, line.x1, line.y1) == ("Read off a scan", 50, 50, 200, 65)


def test_what_is_upright() -> None:
    assert upright([("some words", 0, 0, 90, 10), ("a", 0, 0, 10, 90)])
    assert not upright([("some words", 0, 0, 10, 90), ("a", 0, 0, 90, 10)])


@pytest.mark.slow
def test_nine_words_of_ten_are_read_off_a_scan(scan: bytes, shared_data: Path) -> None:
    if ocr_engine() != "rapidocr":
        pytest.skip("rapidocr is not installed")
    known = (shared_data / "pdf" / "linn_scan_two_column.txt").read_text()
    words, found = (Counter(re.findall(r"\w+", text.lower())) for text in (known, next(read_pdf(scan, "s.pdf")).text))
    assert (words & found).total() >= 0.9 * words.total()
