"""Which run serves where none is named: the last one that was promoted, each promotion on record beside the runs."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dragoman.core import durable
from dragoman.core.errors import UserError

__all__ = ["Promotion", "keep_promotion", "promoted", "promotions"]

RECORD = "promotions.jsonl"


@dataclass(frozen=True, slots=True)
class Promotion:
    """A run that serves from now on."""

    run: str
    at: str
    "when, in UTC"
    before: str
    "what served until then"
    why: str
    forced: bool
    "whether the evidence did not ask for it"
    evidence: Mapping[str, Any] = field(default_factory=dict)


def keep_promotion(root: Path, promotion: Promotion) -> None:
    """Write a promotion into the folder of the runs; when this returns it survives a kill."""
    durable.append(root / RECORD, json.dumps(durable.plain(asdict(promotion)), ensure_ascii=False))


def promotions(root: Path) -> list[Promotion]:
    """Every promotion, the oldest first. A last line that a power cut broke off is none.

    Raises UserError where another line is none.
    """
    path = root / RECORD
    if not path.is_file():
        return []
    lines = [line for line in path.read_text(encoding="utf-8", errors="replace").split("\n") if line.strip()]
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(Promotion(**json.loads(line)))
        except (ValueError, TypeError) as error:
            if number < len(lines):
                hint = "mend or delete that line; dragoman promote writes them"
                raise UserError(f"{path}:{number} is no promotion: {error}", hint) from None
    return found


def promoted(root: Path) -> str:
    """The run that was promoted last; empty where none was."""
    done = promotions(root)
    return done[-1].run if done else ""
