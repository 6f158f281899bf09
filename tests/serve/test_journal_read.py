"""The journal is read page by page, by time and by feedback, while a server writes."""

import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.serve import journal_read
from dragoman.serve.journal_acts import Keep, Note, Spend
from dragoman.serve.journal_read import Figures, Spending, figures, read, recent, spent, walk
from dragoman.serve.journal_schema import Entry, opened

ENTRY = Entry("", 0.0, "a", "/v1/ask", "m", "{}", 200, "[]", "yes", False, 3, 4, 0.1, 0.2)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Twelve requests a second apart from 100 on, some with feedback, of two models."""
    connection = opened(tmp_path / "journal.db")
    for number in range(12):
        one = replace(ENTRY, id=f"req-{number}", at=100.0 + number, seconds=number / 10, first=number / 100)
        one = replace(one, model="new", refused=True, guard_hits=1) if number >= 10 else one
        one = replace(one, status=503, written=0) if number == 3 else one
        Keep(one, texts=number % 2 == 0).write(connection)
    for number, thumb, correction in ((1, 1, ""), (4, -1, ""), (5, None, "better"), (11, -1, "best")):
        Note(f"req-{number}", "a", 500.0, thumb, correction, "").write(connection)
    connection.close()
    return tmp_path / "journal.db"


def ids(kept: list[journal_read.Kept]) -> list[int]:
    """Their numbers."""
    return [int(one.entry.id.removeprefix("req-")) for one in kept]


def test_requests_by_time_place_and_feedback(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ids(read(place)) == list(range(12))
    assert ids(read(place, since=103, until=106)) == [3, 4, 5]
    assert ids(read(place, after=read(place)[8].number, limit=2)) == [9, 10]
    assert ids(read(place, only="feedback")) == [1, 4, 5, 11]
    assert ids(read(place, only="down")) == [4, 5, 11]
    assert ids(read(place, only="texts")) == [0, 2, 4, 6, 8, 10]
    monkeypatch.setattr(journal_read, "PAGE", 5)
    assert ids(list(walk(place))) == list(range(12)) and ids(list(walk(place, only="feedback"))) == [1, 4, 5, 11]
    one = read(place, only="feedback")[-1]
    assert (one.thumb, one.correction, one.noted, one.texts, one.entry.model) == (-1, "best", 500.0, False, "new")


def test_figures(place: Path) -> None:
    whole = figures(place)[""]
    assert (whole.requests, whole.statuses, whole.failed, whole.refused) == (12, {200: 11, 503: 1}, 1, 2)
    assert (whole.read, whole.written, whole.guard_hits) == (36, 44, 2)
    assert (whole.up, whole.down, whole.corrected) == (1, 2, 2)
    assert whole.quantile("seconds", 0.5) == 0.6 and whole.quantile("seconds", 0.99) == 1.1
    assert whole.quantile("first", 0.0) == 0.0 and len(whole.first) == 11
    by = figures(place, by="model", since=105)
    assert {name: one.requests for name, one in by.items()} == {"m": 5, "new": 2}
    assert figures(place, since=900) == {} and Figures().quantile("first", 0.5) is None
    with pytest.raises(ValueError, match="one of"):
        figures(place, by="id; DROP TABLE entries")


def test_what_keys_spent(place: Path) -> None:
    now = int(time.time())
    early = now - 86_400
    connection = opened(place)
    Spend({("a", now): (1, 5), ("a", now - 2): (2, 6), ("b", now): (1, 1), ("a", early): (9, 9)}).write(connection)
    connection.close()
    assert spent(place, "a", now - 1) == (1, 5) and spent(place, "a", now - 2.5) == (3, 11)
    assert spent(place, "a", early - 10) == (12, 20) and spent(place, "c", 0) == (0, 0)
    assert recent(place, now - 1) == [Spending("a", now, 1, 5), Spending("b", now, 1, 1)]
    assert sum(one.tokens for one in recent(place, early, 86_400)) == 21


def test_what_is_no_journal(tmp_path: Path, place: Path) -> None:
    with pytest.raises(UserError, match="there is no journal"):
        read(tmp_path / "none.db")
    (tmp_path / "text.db").write_text("text " * 1000)
    with pytest.raises(UserError, match="not a journal"):
        read(tmp_path / "text.db")
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE things (name)")
    connection.close()
    with pytest.raises(UserError, match="something else"):
        read(tmp_path / "other.db")
    assert not (tmp_path / "none.db").exists()
