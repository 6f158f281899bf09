"""The journal as others read it: requests with their feedback, figures over a span of time, and what keys spent.

Each reading is short, page by page, so that a server that writes at the same time is never held up for long.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dragoman.core.errors import Busy, UserError
from dragoman.serve.journal_schema import (
    DAY,
    MIGRATIONS,
    NAMES,
    SECOND,
    SECONDS_KEPT,
    WAIT,
    Entry,
    check_mark,
    entry_of,
)

__all__ = ["Figures", "Kept", "Spending", "figures", "read", "recent", "spent", "walk"]

PAGE = 500
GROUPS = ("", "arm", "key", "model", "route")
ONLY = {
    "": "1",
    "feedback": "feedback.id IS NOT NULL",
    "down": "(feedback.thumb = -1 OR feedback.correction <> '')",
    "texts": "entries.texts = 1",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A request in the journal, with what somebody thought of its answer."""

    number: int
    "its place in the journal, rising"
    entry: Entry
    texts: bool
    "whether its texts were kept"
    thumb: int | None = None
    "1 up, -1 down, None neither"
    correction: str = ""
    comment: str = ""
    noted: float = 0.0
    "when it got its feedback, in seconds since 1970; 0 where it got none"


@dataclass(frozen=True, slots=True)
class Figures:
    """What happened to some requests. Seconds are of those answered well (status below 400), in rising order."""

    requests: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    refused: int = 0
    "answers that the assistant would not give"
    read: int = 0
    written: int = 0
    guard_hits: int = 0
    up: int = 0
    down: int = 0
    corrected: int = 0
    seconds: tuple[float, ...] = ()
    first: tuple[float, ...] = ()
    "until the first token, of those that wrote any"
    writing: float = 0.0
    "seconds that requests took which wrote any, together"

    @property
    def failed(self) -> int:
        """How many ended with a failure of the server."""
        return sum(count for status, count in self.statuses.items() if status >= 500)

    def quantile(self, name: str, share: float) -> float | None:
        """A quantile of `seconds` or `first`, such as 0.99; None where there are none."""
        values = {"seconds": self.seconds, "first": self.first}[name]
        return values[min(len(values) - 1, int(share * len(values)))] if values else None


@dataclass(frozen=True, slots=True)
class Spending:
    """What a key spent in the second or the day that began at `start`, in seconds since 1970."""

    key: str
    start: int
    requests: int
    tokens: int


@contextmanager
def _open(path: Path, wait: float = WAIT) -> Iterator[sqlite3.Connection]:
    """The file, for reading alone. Raises UserError where it is no journal of this version, Busy where it is held."""
    if not path.is_file():
        raise UserError(f"there is no journal {path}", "serve with a journal first, or give its path")
    connection: sqlite3.Connection | None = None
    try:
        # Not mode=ro: what a killed server left half done is undone by whoever opens the file next.
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", timeout=wait, isolation_level=None, uri=True
        )
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        if check_mark(connection, path) < len(MIGRATIONS):
            raise UserError(
                f"{path} is a journal of an earlier version", "serve with it once: that brings it up to date"
            )
        yield connection
    except sqlite3.DatabaseError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise Busy(f"{path} is being written by another process", "wait until it is done, or stop it") from error
        raise UserError(f"{path} is not a journal that can be read: {error}", "give another one") from error
    finally:
        if connection is not None:
            connection.close()


def read(
    path: Path,
    *,
    after: int = 0,
    since: float = 0.0,
    until: float = float("inf"),
    only: str = "",
    limit: int = PAGE,
) -> list[Kept]:
    """At most `limit` requests behind the place `after`, the oldest first, that came from `since` until `until`.

    `only` is feedback, down (a thumb down or a correction), texts, or empty for all. Raises UserError where the file
    is no journal.
    """
    columns = ", ".join(f"entries.{name}" for name in NAMES)
    sql = (
        f"SELECT entries.number, entries.texts, feedback.thumb, feedback.correction, feedback.comment, feedback.at, "
        f"{columns} FROM entries LEFT JOIN feedback ON feedback.id = entries.id "
        f"WHERE entries.number > ? AND entries.at >= ? AND entries.at < ? AND {ONLY[only]} "
        f"ORDER BY entries.number LIMIT ?"
    )
    with _open(path) as connection:
        rows = connection.execute(sql, (after, since, until, limit)).fetchall()
    return [_kept(row) for row in rows]


def _kept(row: Sequence[Any]) -> Kept:
    number, texts, thumb, correction, comment, noted, *entry = row
    return Kept(number, entry_of(entry), bool(texts), thumb, correction or "", comment or "", noted or 0.0)


def walk(path: Path, *, since: float = 0.0, until: float = float("inf"), only: str = "") -> Iterator[Kept]:
    """Every such request, as `read`, without holding more than a page of them."""
    after = 0
    while page := read(path, after=after, since=since, until=until, only=only):
        yield from page
        after = page[-1].number


def figures(path: Path, *, since: float = 0.0, until: float = float("inf"), by: str = "") -> dict[str, Figures]:
    """What happened from `since` until `until`, by arm, key, model or route; by nothing there is one, under "".

    Feedback counts with the request that it is about. Raises UserError where the file is no journal.
    """
    if by not in GROUPS:
        raise ValueError(f"figures go by one of {GROUPS}")
    group = f"entries.{by}" if by else "''"
    sql = (
        f"SELECT {group}, entries.status, entries.refused, entries.read, entries.written, entries.guard_hits, "
        "entries.first, entries.seconds, feedback.thumb, feedback.correction FROM entries "
        "LEFT JOIN feedback ON feedback.id = entries.id WHERE entries.at >= ? AND entries.at < ?"
    )
    with _open(path) as connection:
        rows = connection.execute(sql, (since, until)).fetchall()
    groups: dict[str, list[Sequence[Any]]] = {}
    for row in rows:
        groups.setdefault(row[0], []).append(row[1:])
    return {name: _figures(some) for name, some in sorted(groups.items())}


def _figures(rows: Sequence[Sequence[Any]]) -> Figures:
    statuses: dict[int, int] = {}
    for row in rows:
        statuses[row[0]] = statuses.get(row[0], 0) + 1
    refused, read_tokens, written, hits = (sum(row[place] for row in rows) for place in (1, 2, 3, 4))
    well = [row for row in rows if row[0] < 400]
    thumbs = [row[7] for row in rows]
    return Figures(
        requests=len(rows),
        statuses=statuses,
        refused=refused,
        read=read_tokens,
        written=written,
        guard_hits=hits,
        up=thumbs.count(1),
        down=thumbs.count(-1),
        corrected=sum(bool(row[8]) for row in rows),
        seconds=tuple(sorted(row[6] for row in well)),
        first=tuple(sorted(row[5] for row in well if row[3])),
        writing=sum(row[6] for row in well if row[3]),
    )


def recent(path: Path, since: float, grain: int = SECOND) -> list[Spending]:
    """What every key spent from `since` on, by the second (known for an hour) or by the day (grain=86400)."""
    sql = "SELECT key, start, requests, tokens FROM spent WHERE grain = ? AND start >= ? ORDER BY start, key"
    with _open(path) as connection:
        return [Spending(*row) for row in connection.execute(sql, (grain, int(since) - int(since) % grain)).fetchall()]


def spent(path: Path, key: str, since: float) -> tuple[int, int]:
    """Requests and tokens that a key spent since a moment: exact to the second within the last hour, and before that
    from the beginning of the day of `since`, in UTC."""
    grain = SECOND if since >= time.time() - SECONDS_KEPT else DAY
    with _open(path) as connection:
        sql = "SELECT sum(requests), sum(tokens) FROM spent WHERE key = ? AND grain = ? AND start >= ?"
        row = connection.execute(sql, (key, grain, int(since) - int(since) % grain)).fetchone()
    return int(row[0] or 0), int(row[1] or 0)
