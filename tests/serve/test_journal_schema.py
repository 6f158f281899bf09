"""The journal's file is private, is brought up to date with a copy kept, and is refused where it is something else."""

import os
import sqlite3
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.serve import journal_schema
from dragoman.serve.journal_schema import MIGRATIONS, Entry, entry_of, entry_row, journal_mode, opened

ENTRY = Entry("req-1", 1.5, "a", "/v1/ask", "m", "{}", 200, "[]", "yes", True, 3, 4, 0.1, 0.2, 1, "new")


def test_a_new_file_is_private_and_synced(tmp_path: Path) -> None:
    place = tmp_path / "deep" / "journal.db"
    with_old = os.umask(0)
    try:
        connection = opened(place)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO spent VALUES ('a', 1, 2, 3, 4)")
        assert {path.stat().st_mode & 0o777 for path in place.parent.iterdir()} == {0o600}
        connection.execute("COMMIT")
    finally:
        os.umask(with_old)
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    synced = connection.execute("PRAGMA synchronous").fetchone()[0]
    assert (mode, synced) == (("wal", 2) if sqlite3.sqlite_version_info >= (3, 51, 3) else ("delete", 3))
    assert connection.execute("PRAGMA secure_delete").fetchone()[0] == 1
    connection.close()
    os.chmod(place, 0o640)
    with pytest.raises(UserError) as error:
        opened(place)
    assert error.value.hint == f"say: chmod 600 {place}"


def test_an_old_library_writes_no_log_ahead() -> None:
    assert journal_mode((3, 51, 2)) == ("DELETE", "EXTRA")
    assert journal_mode((3, 51, 3)) == ("WAL", "FULL")


def test_other_files_are_refused_and_left_as_they_are(tmp_path: Path) -> None:
    text, other, later = (tmp_path / name for name in ("text", "other.db", "later.db"))
    text.write_text("no database at all, " * 100)
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE things (name)")
    opened(later).execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}").connection.close()
    for place, problem in ((text, "not a journal"), (other, "something else"), (later, "a later version")):
        place.chmod(0o600)
        before = place.read_bytes()
        with pytest.raises(UserError, match=problem):
            opened(place)
        assert place.read_bytes() == before


def test_a_file_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "journal.db"
    connection = opened(place)
    connection.execute("INSERT INTO spent VALUES ('a', 1, 2, 3, 4)")
    connection.close()
    monkeypatch.setattr(journal_schema, "MIGRATIONS", (*MIGRATIONS, "ALTER TABLE spent ADD COLUMN more TEXT"))
    for _ in range(2):
        connection = opened(place)
        assert connection.execute("SELECT * FROM spent").fetchall() == [("a", 1, 2, 3, 4, None)]
        connection.close()
    monkeypatch.undo()
    copy = tmp_path / "journal.db.version-1"
    assert copy.stat().st_mode & 0o777 == 0o600
    connection = opened(copy)
    assert connection.execute("SELECT * FROM spent").fetchall() == [("a", 1, 2, 3, 4)]
    connection.close()


def test_a_request_lies_as_it_was() -> None:
    assert entry_of(list(entry_row(ENTRY).values())) == ENTRY
    assert entry_row(Entry("\ud800", *list(entry_row(ENTRY).values())[1:]))["id"] == "?"
