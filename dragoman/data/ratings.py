"""What people are asked to rate, what they said of it, and the journal that keeps every word, one line a judgement."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from dragoman.core import durable
from dragoman.core.disk import spoken
from dragoman.core.errors import UserError
from dragoman.core.show import many
from dragoman.core.types import Message

__all__ = ["MOST", "Act", "Item", "Journal", "Judgement", "Thumb", "pairwise"]

MOST = 4  # completions of one prompt that fit side by side, each with a key of its own
FORM = 1  # of a line of the journal
Act = Literal["rank", "skip", "undo"]


@dataclass(frozen=True, slots=True)
class Item:
    """A prompt with the completions to compare, in the order of the file; `models` names who wrote each, or is empty.

    Raters see neither that order nor those names.
    """

    id: str
    prompt: tuple[Message, ...]
    completions: tuple[str, ...]
    models: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What it is known by in the journal: 16 hex digits of its texts, so that a judgement never meets others."""
        return _digest([[[one.role, one.content] for one in self.prompt], list(self.completions)])

    @property
    def group(self) -> str:
        """16 hex digits of the prompt alone: what shares a prompt belongs into the same part of a split."""
        return _digest([[one.role, one.content] for one in self.prompt])


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one rater said of one item: a rank for each completion, that it is skipped, or that it is taken back."""

    item: str
    rater: str
    criterion: str
    act: Act = "rank"
    ranks: tuple[int, ...] = ()
    "The rank of each completion, in the order of the file: 1 is the best, equal ranks are a tie."
    order: tuple[int, ...] = ()
    "Which completion stood at each place before the rater, first place first."
    at: str = ""
    "When it was said, UTC."

    def to_row(self) -> dict[str, Any]:
        """JSON types, one line of the journal."""
        row = {"rating": FORM, "act": self.act, "item": self.item, "rater": self.rater, "criterion": self.criterion}
        placed = {"ranks": list(self.ranks), "order": list(self.order)} if self.act == "rank" else {}
        return {**row, **placed, "at": self.at or _now()}


@dataclass(frozen=True, slots=True)
class Thumb:
    """One answer to one prompt that somebody held good or bad, as services collect it."""

    prompt: tuple[Message, ...]
    completion: str
    up: bool
    rater: str
    criterion: str
    at: str = ""

    def to_row(self) -> dict[str, Any]:
        """JSON types, one line of the journal, texts included."""
        row = {"rating": FORM, "act": "thumb", "rater": self.rater, "criterion": self.criterion, "up": self.up}
        prompt = [{"role": one.role, "content": one.content} for one in self.prompt]
        return {**row, "prompt": prompt, "completion": self.completion, "at": self.at or _now()}


@dataclass
class Journal:
    """The file every judgement is added to before it counts; several processes may add to it at once.

    A judgement replaces the one before it of the same rater, criterion and item. What is read is kept, and only what
    was added since is read again.
    """

    path: Path
    unread: int = 0
    "Lines that hold no judgement and are left out."
    torn: bool = False
    "Whether the last line breaks off: it was never acknowledged, and is left out."
    held: dict[tuple[str, str], dict[str, Judgement]] = field(default_factory=dict)
    "What stands: for each rater and criterion the newest judgement of each item, the last one last."
    thumbs: dict[tuple[str, str], dict[str, Thumb]] = field(default_factory=dict)
    "For each rater and criterion the newest thumb of each prompt and answer."
    _read: int = 0

    @staticmethod
    def open(path: Path) -> "Journal":
        """A journal, read as far as it goes. Raises UserError where the file is another kind of file."""
        journal = Journal(path)
        journal.refresh()
        if journal.unread and not journal.held and not journal.thumbs:
            raise UserError(
                f"{path} holds no judgement: it is no journal of ratings", "name another file: out=ratings.jsonl"
            )
        return journal

    def refresh(self) -> None:
        """Read what was added since, by whomever."""
        if not self.path.exists():
            return
        with spoken(self.path), self.path.open("rb") as stream:
            if stream.seek(0, os.SEEK_END) < self._read:  # somebody put another file in its place
                self.held, self.thumbs, self.unread, self._read = {}, {}, 0, 0
            stream.seek(self._read)
            added = stream.read()
        whole, end, rest = added.rpartition(b"\n")
        self.torn = bool(rest)
        self._read += len(whole) + len(end)
        for line in whole.split(b"\n") if end else ():
            if line.strip() and not self._take(line):
                self.unread += 1

    def add(self, *said: Judgement | Thumb) -> None:
        """Write each down; when this returns, the disk has them and they count."""
        if said:
            durable.append(self.path, "\n".join(json.dumps(one.to_row(), ensure_ascii=False) for one in said))
        self.refresh()

    def standing(self, criterion: str) -> dict[str, dict[str, Judgement]]:
        """What each rater says by a criterion: {rater: {item: judgement}}, raters by name."""
        return {rater: held for (rater, by), held in sorted(self.held.items()) if by == criterion and held}

    def thumbed(self, criterion: str) -> dict[str, list[Thumb]]:
        """The thumbs each rater gave by a criterion, raters by name."""
        return {rater: list(held.values()) for (rater, by), held in sorted(self.thumbs.items()) if by == criterion}

    def notes(self) -> list[str]:
        """What is wrong with the file, in words."""
        said = [f"the last line of {self.path} breaks off and is left out: it was not saved"] if self.torn else []
        lines = f"{many(self.unread, 'line')} of {self.path} cannot be read and " + (
            "is left out" if self.unread == 1 else "are left out"
        )
        return said + ([lines] if self.unread else [])

    def _take(self, line: bytes) -> bool:
        """Let a line count; False where it cannot be read."""
        try:
            row = json.loads(line)
            if row["rating"] != FORM:
                return False
            by = (_text(row["rater"]), _text(row["criterion"]))
            if row["act"] == "thumb":
                thumb = _thumb(row, by)
                self.thumbs.setdefault(by, {})[_digest([_pairs(thumb.prompt), thumb.completion])] = thumb
                return True
            one = _judgement(row, by)
        except (ValueError, KeyError, TypeError, RecursionError):
            return False
        held = self.held.setdefault(by, {})
        held.pop(one.item, None)
        if one.act != "undo":
            held[one.item] = one
        return True


def pairwise(ranks: tuple[int, ...]) -> dict[tuple[int, int], int]:
    """What ranks say of each pair of completions: 1 where the first is better, -1 the second, 0 for a tie."""
    count = len(ranks)
    return {
        (one, other): (ranks[one] < ranks[other]) - (ranks[one] > ranks[other])
        for one in range(count)
        for other in range(one + 1, count)
    }


def _judgement(row: Mapping[str, Any], by: tuple[str, str]) -> Judgement:
    """The judgement of a line. Raises ValueError, KeyError or TypeError where it is none."""
    act = row["act"]
    if act not in ("rank", "skip", "undo"):
        raise ValueError(act)
    ranks: tuple[int, ...] = ()
    order: tuple[int, ...] = ()
    if act == "rank":
        ranks, order = tuple(row["ranks"]), tuple(row["order"])
        count = len(ranks)
        whole = all(type(one) is int for one in (*ranks, *order))
        if not whole or not 2 <= count <= MOST or sorted(order) != list(range(count)):
            raise ValueError("not an order")
        if not all(1 <= one <= count for one in ranks):
            raise ValueError("not ranks")
    return Judgement(_text(row["item"]), *by, act, ranks, order, _text(row["at"]))


def _thumb(row: Mapping[str, Any], by: tuple[str, str]) -> Thumb:
    if not isinstance(row["up"], bool):
        raise TypeError("not a thumb")
    prompt = tuple(Message(_text(one["role"]), _text(one["content"])) for one in row["prompt"])
    return Thumb(prompt, _text(row["completion"]), row["up"], *by, _text(row["at"]))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _pairs(prompt: tuple[Message, ...]) -> list[list[str]]:
    return [[one.role, one.content] for one in prompt]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
