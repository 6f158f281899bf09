"""Documents come one after another, cut as asked, and what cannot be read is named by its place."""

import gzip
import io
import sys
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.data.problems import Problem
from dragoman.stages import texts
from dragoman.stages.texts import stream


def read(source: str, split: str = "file", column: str = "") -> list[str]:
    return [one for one in stream(source, column, split, []) if isinstance(one, str)]


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "text.txt"
    path.write_bytes(b"one\r\ntwo\n\n\nthree<|end|>four\nfive")
    return path


@pytest.mark.parametrize(
    ("split", "wanted"),
    [
        ("file", ["one\ntwo\n\n\nthree<|end|>four\nfive"]),
        ("paragraph", ["one\ntwo\n\n\n", "three<|end|>four\nfive"]),
        ("line", ["one", "two", "three<|end|>four", "five"]),
        ("<|end|>", ["one\ntwo\n\n\nthree", "four\nfive"]),
    ],
)
def test_a_text_is_cut_as_asked(text: Path, split: str, wanted: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert read("text.txt", split) == wanted
    packed = text.parent / "packed.txt.gz"
    packed.write_bytes(gzip.compress(text.read_bytes()))
    assert read("packed.txt.gz", split) == wanted
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(text.read_bytes()))))
    assert read("-", split) == wanted


def test_a_long_file_is_held_in_pieces(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "LONGEST", 64)
    whole = "".join(f"Zeile {number} mit é und 漢字.\n" + "\n" * (number % 3 == 0) for number in range(50))
    text.write_text(whole)
    pieces = read("text.txt")
    assert "".join(pieces) == whole and len(pieces) > 10 and max(len(piece.encode()) for piece in pieces) <= 64
    assert sum(piece.endswith("\n\n") for piece in pieces) > 10
    assert "".join(read("text.txt", "line")) == whole.replace("\n", "")
    text.write_text("漢" * 200)
    assert "".join(read("text.txt")) == "漢" * 200
    marked = "<|end|>".join(f"text {number}" for number in range(40))
    text.write_text(marked)
    assert read("text.txt", "<|end|>") == [f"text {number}" for number in range(40)]


def test_bad_lines_are_named_by_their_place(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "LONGEST", 32)
    text.write_bytes(b"\xef\xbb\xbfgood\n" * 1 + b"a line\n" * 6 + b"sch\xf6n\n" + b"a line\n" * 3 + b"nul\x00\n")
    problems = [one for one in stream("text.txt", "", "file", []) if isinstance(one, Problem)]
    assert [(one.name, one.place.line) for one in problems] == [("bom", 1), ("encoding", 8), ("nul", 12)]
    assert "".join(read("text.txt")) == "good\n" + "a line\n" * 9
    text.write_bytes("wide".encode("utf-16"))
    assert [one.name for one in stream("text.txt", "", "file", []) if isinstance(one, Problem)] == ["encoding"]


def test_tables_give_the_text_of_a_column(text: Path) -> None:
    (text.parent / "rows.csv").write_text("title,text\na,first\nb,\nc,third\n")
    said: list[str] = []
    found = [one for one in stream("rows.csv", "", "file", said) if isinstance(one, str)]
    assert found == ["first", "third"] and "column 'text'" in said[0]
    assert read("rows.csv", column="title") == ["a", "b", "c"]
    with pytest.raises(UserError, match="no row has the column 'body'"):
        read("rows.csv", column="body")


def test_columns_are_guessed_from_the_first_rows(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_GUESSED", 2)
    (text.parent / "rows.jsonl").write_text("".join(f'{{"text": "row {number}"}}\n' for number in range(5)))
    assert read("rows.jsonl") == [f"row {number}" for number in range(5)]
