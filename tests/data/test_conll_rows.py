"""CoNLL files: columns between tabs or blanks, documents and comments, and words without a tag."""

from pathlib import Path

from dragoman.data.conll_rows import is_conll
from tests.data.reading import found, only, values

WIDE = "-DOCSTART- -X- O O\n\nAnn NNP I-NP B-PER\nsings VB O O\n\n# sent = 2\n# O\nBonn NNP I-NP S-LOC"


def test_the_first_and_the_last_column_are_read(tmp_path: Path) -> None:
    made = [
        {"tokens": ["Ann", "sings"], "tags": ["B-PER", "O"]},
        {"tokens": ["#", "Bonn"], "tags": ["O", "S-LOC"]},
    ]
    assert values(tmp_path / "a.conll", WIDE) == made
    assert values(tmp_path / "a.txt", WIDE) == made
    assert values(tmp_path / "a.bio", "a b\tO\r\nc\tB-x\r\n") == [{"tokens": ["a b", "c"], "tags": ["O", "B-x"]}]


def test_a_row_stands_at_its_first_line(tmp_path: Path) -> None:
    rows, _ = found(tmp_path / "a.conll", WIDE)
    assert [row.place.line for row in rows] == [3, 7]


def test_a_word_without_a_tag_costs_its_sentence(tmp_path: Path) -> None:
    rows, problems = found(tmp_path / "a.conll", "a\tO\nb\nc\tO\n\nd\tO\n")
    assert [row.values["tokens"] for row in rows] == [["d"]]
    assert [(problem.name, problem.place.line) for problem in problems] == [("tag-count", 2)]
    assert only(tmp_path / "b.conll", "\n\n").name == "empty-file"


def test_a_text_is_no_such_file(tmp_path: Path) -> None:
    assert not is_conll(b"Vitamin B\nBlood type O\nand more\n")
    assert not is_conll(b"text\tlabel\na\tO\nb\tO\nc\tO\n")
    assert is_conll(WIDE.encode())
    assert values(tmp_path / "a.txt", "So\nsaid O\n") == [{"text": "So"}, {"text": "said O"}]
