"""Journals whose figures are known: quiet ones, and ones with something wrong in the last hours."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dragoman.serve.journal_acts import Keep, Note
from dragoman.serve.journal_schema import Entry, opened

LINEAGE = '{"run":"train-1","data":"d1"}'
ENTRY = Entry("", 0.0, "", "/v1/classify", "m", LINEAGE, 200, "[]", "yes", False, 10, 5, 0.05, 0.2)
WORDS = ("tea", "price", "rose", "when", "ships", "came", "late", "port", "rain", "fell", "hills", "day", "all", "on")
NOW = 1_700_000_000.0
HOUR = 3600.0


def said(source: random.Random, words: Sequence[str] = WORDS) -> str:
    """A made text of six to twelve words."""
    return " ".join(source.choice(words) for _ in range(source.randint(6, 12)))


def plant(
    path: Path,
    *,
    wrong: str = "",
    now: float = NOW,
    each: int = 60,
    before: int = 180,
    lineage: str = LINEAGE,
    words: Sequence[str] = WORDS,
) -> Path:
    """A journal of `before` requests in the week before the last day, and `each` in that day.

    `wrong` plants there what its name says: errors, slow, refusals, feedback, drift.
    """
    source = random.Random(7)
    connection = opened(path)
    connection.execute("BEGIN")
    for number in range(before + each):
        late = number >= before
        at = now - HOUR * (source.uniform(0.1, 23.9) if late else source.uniform(24.1, 190))
        bad = wrong if late else ""
        text = said(source, [word[::-1] * 4 for word in words] if bad == "drift" else words)
        one = replace(ENTRY, id=f"req-{number:08}", at=at, lineage=lineage, prompt=json.dumps([text]))
        one = replace(one, seconds=source.uniform(0.1, 0.3) * (8 if bad == "slow" else 1))
        one = replace(one, refused=source.random() < (0.4 if bad == "refusals" else 0.05))
        one = replace(one, status=500 if bad == "errors" and number % 5 == 0 else 200)
        Keep(one, texts=True).write(connection)
        if number % 2 == 0:
            thumb = -1 if source.random() < (0.7 if bad == "feedback" else 0.1) else 1
            Note(one.id, "", at + 1, thumb, "better" if thumb < 0 else "", "").write(connection)
    connection.execute("COMMIT")
    connection.close()
    return path
