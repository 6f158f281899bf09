"""What can be done to the journal, each a value with what it writes: many of them share one transaction."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from dragoman.app.guards.personal import Find, mask_personal
from dragoman.serve.journal_schema import DAY, SECOND, Entry, entry_row

__all__ = ["Act", "Conversation", "Drop", "Find", "Keep", "Listed", "Note", "Put", "Read", "Spend", "mask_entry"]

T_co = TypeVar("T_co", covariant=True)
NOTED = (
    "INSERT INTO feedback (id, at, thumb, correction, comment) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
    "at = excluded.at, thumb = excluded.thumb, correction = excluded.correction, comment = excluded.comment"
)
SPENT = (
    "INSERT INTO spent (key, grain, start, requests, tokens) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "requests = requests + excluded.requests, tokens = tokens + excluded.tokens"
)
HELD = "EXISTS (SELECT 1 FROM conversations WHERE key = :key AND id = :id)"
PUT = (
    "INSERT OR REPLACE INTO conversations (key, id, title, updated, model, messages) "
    "SELECT :key, :id, :title, :updated, :model, :messages "
    f"WHERE {HELD} OR (SELECT count(*) FROM conversations WHERE key = :key) < :most"
)


class Act(Protocol[T_co]):
    """Something done inside a transaction that others share."""

    def write(self, connection: sqlite3.Connection) -> T_co:
        """Do it, without beginning or ending a transaction."""
        ...


@dataclass(frozen=True, slots=True)
class Conversation:
    """What somebody asked and was answered on the page, as the page keeps it."""

    id: str
    title: str
    updated: float
    "seconds since 1970"
    model: str = ""
    messages: str = ""
    "JSON; empty in a list of conversations"


@dataclass(frozen=True, slots=True)
class Keep:
    """One request; without `texts` its figures alone. What `mask` finds personal is written as names for it."""

    entry: Entry
    texts: bool
    mask: Find | None = None

    def write(self, connection: sqlite3.Connection) -> None:
        """One row. The id is a new one."""
        whole = mask_entry(self.entry, self.mask) if self.texts else replace(self.entry, prompt="", answer="")
        row = entry_row(whole) | {"texts": int(self.texts)}
        places = ", ".join(f":{name}" for name in row)
        connection.execute(f"INSERT INTO entries ({', '.join(row)}) VALUES ({places})", row)


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody thinks of an answer, in the place of what they thought before; `entry` has its texts, where they
    were not kept with it."""

    id: str
    key: str
    at: float
    thumb: int | None
    correction: str
    comment: str
    entry: Entry | None = None
    mask: Find | None = None

    def write(self, connection: sqlite3.Connection) -> bool:
        """Whether this key ever got that answer; only then it is written."""
        sql = "SELECT prompt, answer FROM entries WHERE id = ? AND key = ?"
        held = connection.execute(sql, (self.id, self.key)).fetchone()
        if held is None:
            return False
        if self.entry is not None:
            held = (row := entry_row(mask_entry(self.entry, self.mask)))["prompt"], row["answer"]
            connection.execute("UPDATE entries SET prompt = ?, answer = ?, texts = 1 WHERE id = ?", (*held, self.id))
        correction, comment = (
            _masked(_text(text), self.mask, " ".join(held)) for text in (self.correction, self.comment)
        )
        connection.execute(NOTED, (self.id, self.at, self.thumb, correction, comment))
        return True


@dataclass(frozen=True, slots=True)
class Put:
    """A conversation, whole, in the place of the one with its id."""

    key: str
    given: Conversation
    most: int

    def write(self, connection: sqlite3.Connection) -> bool:
        """False where the key has as many as it may have."""
        said = self.given
        row: dict[str, Any] = {"key": self.key, "id": said.id, "title": _text(said.title), "updated": said.updated}
        row |= {"model": _text(said.model), "messages": _text(said.messages), "most": self.most}
        return connection.execute(PUT, row).rowcount > 0


@dataclass(frozen=True, slots=True)
class Drop:
    """A conversation goes for good."""

    key: str
    id: str

    def write(self, connection: sqlite3.Connection) -> bool:
        """Whether it was there."""
        sql = "DELETE FROM conversations WHERE key = ? AND id = ?"
        return connection.execute(sql, (self.key, self.id)).rowcount > 0


@dataclass(frozen=True, slots=True)
class Listed:
    """The conversations of a key, the newest first, without their messages."""

    key: str

    def write(self, connection: sqlite3.Connection) -> list[Conversation]:
        """Read them."""
        sql = "SELECT id, title, updated, model FROM conversations WHERE key = ? ORDER BY updated DESC, id"
        return [Conversation(*row) for row in connection.execute(sql, (self.key,))]


@dataclass(frozen=True, slots=True)
class Read:
    """One conversation with its messages."""

    key: str
    id: str

    def write(self, connection: sqlite3.Connection) -> Conversation | None:
        """Read it; None where this key has none of that id."""
        sql = "SELECT id, title, updated, model, messages FROM conversations WHERE key = ? AND id = ?"
        row = connection.execute(sql, (self.key, self.id)).fetchone()
        return Conversation(*row) if row else None


@dataclass(frozen=True, slots=True)
class Spend:
    """What keys spent: for each key and second since 1970, requests and tokens; added by the second and by the day."""

    spent: Mapping[tuple[str, int], tuple[int, int]]

    def write(self, connection: sqlite3.Connection) -> None:
        """Add it to what is there."""
        rows = [
            (key, grain, second - second % grain, requests, tokens)
            for (key, second), (requests, tokens) in self.spent.items()
            for grain in (SECOND, DAY)
        ]
        connection.executemany(SPENT, rows)


def mask_entry(entry: Entry, find: Find | None) -> Entry:
    """A request without what is personal in its texts; the same value has the same name in all of them."""
    if find is None:
        return entry
    names: dict[str, str] = {}
    try:
        prompt = json.dumps(_mask_each(json.loads(entry.prompt), find, names), ensure_ascii=False)
    except (ValueError, RecursionError):  # it is no JSON
        prompt = _mask_each(entry.prompt, find, names)
    return replace(entry, prompt=prompt, answer=_mask_each(entry.answer, find, names))


def _mask_each(value: Any, find: Find, names: dict[str, str]) -> Any:
    """Every text inside a JSON value, masked; `names` learns what each value is called."""
    if isinstance(value, str):
        masked = mask_personal(value, find, start=names)
        names |= {held: name for name, held in masked.held.items()}
        return masked.text
    if isinstance(value, list):
        return [_mask_each(one, find, names) for one in value]
    if isinstance(value, dict):
        return {name: _mask_each(one, find, names) for name, one in value.items()}
    return value


def _masked(text: str, find: Find | None, known: str) -> str:
    """A text without what is personal, under names that `known` does not use for something else."""
    return mask_personal(text, find, known).text if find else text


def _text(text: str) -> str:
    """Without halves of surrogate pairs, which the file cannot hold."""
    return text.encode("utf-8", "replace").decode()
