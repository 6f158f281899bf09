"""CSV, TSV and plain lines: separators, quotes and places."""

from pathlib import Path

import pytest

from tests.data.reading import ROWS, found, values


def test_csv_with_quotes_and_line_breaks(tmp_path: Path) -> None:
    content = 'text,label\none,a\n"two, with ""marks""\nand lines",b\n'
    assert values(tmp_path / "a.csv", content) == list(ROWS)


@pytest.mark.parametrize("mark", [";", "\t", "|", ","])
def test_separators(tmp_path: Path, mark: str) -> None:
    content = f"text{mark}label\n" + f"some words here{mark}a\n" * 5
    assert values(tmp_path / "a.csv", content)[0] == {"text": "some words here", "label": "a"}


def test_bare_quotes_in_tsv_are_letters(tmp_path: Path) -> None:
    read = values(tmp_path / "a.tsv", 'text\tlabel\n"no end\t1\nan "inner" one\t0\n')
    assert read == [{"text": '"no end', "label": "1"}, {"text": 'an "inner" one', "label": "0"}]


def test_a_bad_line_in_csv_keeps_the_places_right(tmp_path: Path) -> None:
    rows, problems = found(tmp_path / "a.csv", b"text,label\na,b\n\xff,c\nd,e\n")
    assert [row.place.line for row in rows] == [2, 4]
    assert [problem.place.line for problem in problems if problem.refused] == [3]


def test_txt(tmp_path: Path) -> None:
    assert values(tmp_path / "a.txt", "one\n\n two \n") == [{"text": "one"}, {"text": " two "}]
