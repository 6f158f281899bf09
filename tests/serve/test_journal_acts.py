"""Each thing that can be done to a journal does it inside of a transaction that others share."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dragoman.app.guards.personal import Finding
from dragoman.serve.journal_acts import Conversation, Drop, Keep, Listed, Note, Put, Read, Spend, mask_entry
from dragoman.serve.journal_schema import Entry, opened

ENTRY = Entry("req-1", 1.5, "a", "/v1/ask", "m", "{}", 200, "no JSON", "yes", True, 3, 4, 0.1, 0.2)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """An empty journal inside of a transaction."""
    made = opened(tmp_path / "journal.db")
    made.execute("BEGIN IMMEDIATE")
    yield made
    made.close()


def nothing(text: str) -> Sequence[Finding]:
    """Finds nothing of its own; IP addresses are found without it."""
    return []


def test_all_of_them_are_undone_together(connection: sqlite3.Connection) -> None:
    Keep(ENTRY, True).write(connection)
    assert Note("req-1", "a", 2.0, 1, "c", "d").write(connection)
    assert Put("a", Conversation("x", "t", 1.0, "m", "[]"), 1).write(connection)
    assert not Put("a", Conversation("y", "t", 1.0, "m", "[]"), 1).write(connection)
    assert Listed("a").write(connection) == [Conversation("x", "t", 1.0, "m")]
    assert Read("a", "x").write(connection) == Conversation("x", "t", 1.0, "m", "[]")
    Spend({("a", 90_000): (1, 5), ("a", 90_001): (1, 6)}).write(connection)
    Spend({("a", 90_000): (0, 7)}).write(connection)
    rows = connection.execute("SELECT grain, start, requests, tokens FROM spent ORDER BY grain, start").fetchall()
    assert rows == [(1, 90_000, 1, 12), (1, 90_001, 1, 6), (86_400, 86_400, 2, 18)]
    assert Drop("a", "x").write(connection) and not Drop("a", "x").write(connection)
    connection.execute("ROLLBACK")
    for table in ("entries", "feedback", "conversations", "spent"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_a_text_that_is_no_json_is_masked_as_it_is() -> None:
    one = Entry("req-1", 1.5, "a", "", "m", "{}", 200, "at 8.8.8.8 {", "yes", True, 3, 4, 0.1, 0.2)
    assert mask_entry(one, nothing).prompt == "at [ip-address 1] {"
    assert mask_entry(one, None) is one
