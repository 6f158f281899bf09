"""What several evaluations answered to the same texts, as completions to compare."""

import json
from collections.abc import Sequence
from pathlib import Path

from dragoman.core.disk import spoken
from dragoman.core.errors import UserError
from dragoman.core.runs import find
from dragoman.core.show import many
from dragoman.core.types import Message
from dragoman.data.ratings import MOST, Item

__all__ = ["items_of_runs"]


def items_of_runs(root: Path, names: Sequence[str]) -> tuple[list[Item], list[str]]:
    """One item for each text that all these evaluations answered, where the answers differ; the runs are the models.

    Returns what was left out in words too. Raises UserError where a run has no answers or they share no text.
    """
    if not 2 <= len(names) <= MOST:
        raise UserError(
            f"{many(len(names), 'run')} cannot be compared", "name two to four: between=evaluate-1,evaluate-2"
        )
    runs = [find(root, name, ("evaluate",)) for name in names]
    answers = [_answers(run.folder / "predictions" / "predictions.jsonl") for run in runs]
    ids = [run.id for run in runs]
    items: list[Item] = []
    same = 0
    for text in answers[0]:
        if not all(text in one for one in answers):
            continue
        given: dict[str, str] = {}
        for name, one in zip(ids, answers, strict=True):
            given.setdefault(one[text], name)
        given.pop("", None)
        if len(given) < 2:
            same += 1
            continue
        items.append(Item(str(len(items) + 1), (Message("user", text),), tuple(given), tuple(given.values())))
    if not items:
        told = ", ".join(ids)
        raise UserError(
            f"{told} share no text with different answers", "evaluate them on the same rows: dragoman evaluate"
        )
    said = [f"{many(same, 'text')} left out: the answers are the same"] if same else []
    return items, said


def _answers(file: Path) -> dict[str, str]:
    """The answer to each text of an evaluation."""
    if not file.is_file():
        raise UserError(f"{file} is missing", "name evaluations: dragoman runs lists them")
    with spoken(file):
        lines = file.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    rows = [json.loads(line) for line in lines]
    return {str(row["text"]).strip(): str(row["answer"]).strip() for row in rows if str(row["text"]).strip()}
