"""Questions that are made are kept for review, and a file that speaks of other documents is a mistake."""

from pathlib import Path

import pytest

from dragoman.core.documents import Batch
from dragoman.core.errors import UserError
from dragoman.evals.questions import Place, Question, read_questions
from dragoman.rag.store import SqliteStore
from dragoman.stages.questions import check_sources, make_questions, origin_of, read_for
from dragoman.stages.shelf import Facts, Shelf
from tests.evals.test_made_questions import PIECES


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Three documents that are looked for by words alone."""
    store = SqliteStore(tmp_path / "index.sqlite")
    for chunk in PIECES:
        store.apply(Batch(chunk.source, "1", chunks=(chunk,)))
    return Shelf(store, Facts(("docs",), "", 200, 0.1, 0), None)


def test_made_questions_are_marked_and_never_written_over(shelf: Shelf, tmp_path: Path) -> None:
    out = tmp_path / "questions.jsonl"
    made = make_questions(shelf, "index.sqlite", out, 6)
    assert read_questions(out) == made.questions and out.read_text().count('"generated": true') == 6
    assert "all generated from the documents by rule" in origin_of(made.questions)
    with pytest.raises(UserError, match="is there already"):
        make_questions(shelf, "index.sqlite", out, 6)
    with pytest.raises(UserError, match="0 questions are none"):
        make_questions(shelf, "index.sqlite", tmp_path / "other.jsonl", 0)
    assert read_for(shelf, out) == (made.questions, ())


def test_sources_that_are_not_there_are_told(shelf: Shelf) -> None:
    here, gone = Question("1", "a", (), (Place("bees.md"),)), Question("2", "b", (), (Place("gone.md"),))
    assert check_sources((here, gone), shelf, Path("q.jsonl")) == ("gone.md",)
    with pytest.raises(UserError, match=r"names no document of the index: 'gone\.md'"):
        check_sources((gone,), shelf, Path("q.jsonl"))
    assert check_sources((Question("3", "c"),), shelf, Path("q.jsonl")) == ()


def test_where_questions_are_from_is_told() -> None:
    asked, made = Question("1", "a"), Question("2", "b", by="hf:owner/model")
    assert origin_of((asked,)) == ""
    assert origin_of((asked, made)).startswith("1 generated from the documents by hf:owner/model")
