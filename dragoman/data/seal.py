"""Keeps the test part shut: it is opened with a reason, every opening is on record, and a changed one is refused."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dragoman.core import durable
from dragoman.core.errors import UserError
from dragoman.core.types import Example
from dragoman.data.dedupe import canonical, words_of
from dragoman.data.examples import read_examples, write_examples

__all__ = ["Opening", "open_sealed", "openings", "read_again", "stand_sealed", "write_sealed"]

PART = "part"
LOG = "openings.jsonl"


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening of the sealed part: when (UTC, to the second) and what for."""

    time: str
    why: str


def write_sealed(folder: Path, examples: Sequence[Example]) -> Path:
    """Seal the examples in `folder`, which must not lie inside a published one: its record of openings grows.

    The examples stand in `folder/part` with the checksum of every byte. An older seal is replaced, its record stays.
    """

    def fill(stage: Path) -> None:
        write_examples(stage / "examples.jsonl", examples)

    folder.mkdir(parents=True, exist_ok=True)
    durable.publish(folder / PART, fill)
    return folder


def open_sealed(folder: Path, why: str) -> tuple[list[Example], int]:
    """The sealed examples, and how often they were opened, this time included.

    The opening is on the disk before any row is read. Raises UserError when the part is absent, damaged or was changed.
    """
    _intact(folder)
    opening = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "why": why}
    durable.append(folder / LOG, json.dumps(opening, ensure_ascii=False))
    return read_examples(folder / PART / "examples.jsonl"), len(openings(folder))


def read_again(folder: Path) -> tuple[list[Example], int]:
    """The examples of a seal that was opened before, to show a verdict once more; this counts as no opening.

    Raises UserError when it was never opened, and where `open_sealed` does.
    """
    _intact(folder)
    if not openings(folder):
        raise UserError("the sealed test set was never opened", "dragoman judge opens it")
    return read_examples(folder / PART / "examples.jsonl"), len(openings(folder))


def stand_sealed(folder: Path, texts: Sequence[str], also: Callable[[str], str] = str) -> frozenset[int]:
    """The places of the texts that stand in the sealed part, case and white space aside, as they are or as `also`
    makes both: texts may come masked.

    Nothing else of it is told, so this counts as no opening. Raises UserError where the part is damaged.
    """
    _intact(folder)
    rows = [words_of(one) for one in read_examples(folder / PART / "examples.jsonl")]
    held, made = {canonical(one) for one in rows}, {canonical(also(one)) for one in rows}
    return frozenset(
        place for place, text in enumerate(texts) if canonical(text) in held or canonical(also(text)) in made
    )


def _intact(folder: Path) -> None:
    wrong = durable.problems(folder / PART)
    if wrong:
        raise UserError(f"the sealed test set is not as it was sealed: {wrong[0]}", "dragoman prepare seals it anew")


def openings(folder: Path) -> list[Opening]:
    """Every opening so far, the oldest first. A line that a power cut broke off still counts as one."""
    if not (folder / LOG).exists():
        return []
    found = []
    for line in (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
            found.append(Opening(str(record["time"]), str(record["why"])))
        except (ValueError, KeyError, TypeError):
            found.append(Opening("", "the record is damaged"))
    return found
