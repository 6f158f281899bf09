"""Questions are read as they were written, and a row that is none is told by its line."""

import json
from pathlib import Path

import pytest

from dragoman.core.documents import Chunk
from dragoman.core.errors import UserError
from dragoman.evals.questions import Place, Question, read_questions, row_of, write_questions

ROWS = (
    Question("1", "How tall is it?", ("330 metres",), (Place("tower.md", 10, 20),), "rule"),
    Question("2", "Who\u2028built it?", ("Eiffel", "Gustave Eiffel"), (Place("tower.md"), Place("b.md"))),
    Question("3", "Who won?"),
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_questions(tmp_path / "q.jsonl", ROWS)
    assert read_questions(tmp_path / "q.jsonl") == ROWS
    assert [one.answerable for one in ROWS] == [True, True, False]
    assert row_of(ROWS[0])["generated"] is True and "generated" not in row_of(ROWS[1])


def test_the_rows_of_other_files_are_questions_too(tmp_path: Path) -> None:
    rows = [{"prompt": "Why?", "completion": "So."}, {"question": "How?", "answer": ""}]
    rows += [{"question": "Where?", "relevant": "a.md"}]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    one, two, three = read_questions(tmp_path / "q.jsonl")
    assert one.answers == ("So.",) and not two.answerable and three.relevant == (Place("a.md"),)
    assert (one.id, three.id) == ("1", "3")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "is no JSON"),
        ("[1]", "is no JSON object"),
        ('{"answers": ["a"]}', "holds no question"),
        ('{"question": "Why?"}', "says neither"),
        ('{"question": "Why?", "answers": [1]}', "no texts"),
        ('{"question": "Why?", "relevant": [{"start": 1}]}', "without a source"),
        ('{"question": "Why?", "relevant": [{"source": "a", "start": 5, "end": 2}]}', "from 5 to 2"),
        ('{"id": "1", "question": "Why?", "answer": ""}', "has the id '1'"),
    ],
)
def test_a_row_that_is_none_is_told_by_its_line(tmp_path: Path, line: str, problem: str) -> None:
    (tmp_path / "q.jsonl").write_text('{"id": "1", "question": "Who?", "answer": "She."}\n' + line + "\n")
    with pytest.raises(UserError, match=problem) as caught:
        read_questions(tmp_path / "q.jsonl")
    assert "q.jsonl:2" in caught.value.problem


def test_a_file_without_questions_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_questions(tmp_path / "none.jsonl")
    (tmp_path / "q.jsonl").write_bytes(b"\n\n")
    with pytest.raises(UserError, match="holds no question"):
        read_questions(tmp_path / "q.jsonl")
    (tmp_path / "q.jsonl").write_bytes(b"\xff")
    with pytest.raises(UserError, match="not UTF-8"):
        read_questions(tmp_path / "q.jsonl")


def test_a_place_holds_the_pieces_that_share_a_letter_with_it() -> None:
    piece = Chunk("a.md", 0, 10, 20, "0123456789")
    assert Place("a.md").holds(piece) and not Place("b.md").holds(piece)
    assert Place("a.md", 19, 30).holds(piece) and Place("a.md", 0, 11).holds(piece)
    assert not Place("a.md", 20, 30).holds(piece) and not Place("a.md", 0, 10).holds(piece)
