"""Ask the assistant of a run, exactly as it was measured: a label, tags, or an answer in its own words.

The text stands behind the run, or is read from standard input, one question a line.
"""

import sys
from dataclasses import dataclass
from typing import Any

from dragoman.app.turn import Turn
from dragoman.core.errors import UserError
from dragoman.core.show import Show
from dragoman.stages.assistants import open_assistant, pick
from dragoman.stages.runs import folder_of

__all__ = ["PLACES", "SECTIONS", "Settings", "run"]

PLACES = ("run", "text")
SECTIONS = False


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman ask`."""

    run: str = ""
    "The run to ask: its name, the start of it, a rung such as lora, or its folder; empty takes the newest verdict's."
    text: str = ""
    "The question; empty reads standard input, one question a line."
    project: str = ""
    "The project file or its folder; empty is the folder you stand in."
    runs: str = ""
    "The folder of the runs, where it is not the project's own."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Answer each question."""
    root = folder_of(settings.project, settings.runs, settings.run)
    made = pick(root, settings.run)
    asked = [settings.text] if settings.text else [line.strip() for line in sys.stdin if line.strip()]
    if not asked:
        raise UserError("nothing is asked", f'write the question behind the run: dragoman ask {made.id} "..."')
    opened = open_assistant(made)
    turns = opened.assistant.answer(asked)
    for turn in turns:
        if not show.json:
            print(_said(turn, opened.task))
    show.result({"run": made.id, "answers": [_fact(turn) for turn in turns]})
    return 0


def _said(turn: Turn, task: str) -> str:
    """An answer for people: tags stand beside their words."""
    if turn.answer.finish == "refused":
        return "(no answer: this is longer than the model reads)"
    if task == "tag":
        pairs = zip(turn.question.split(" "), turn.answer.labels, strict=False)
        return " ".join(f"{word}/{tag}" if tag != "O" else word for word, tag in pairs)
    score = turn.answer.scores.get(turn.answer.text)
    return f"{turn.answer.text}  {score:.3f}" if score is not None else turn.answer.text


def _fact(turn: Turn) -> dict[str, Any]:
    """An answer for programs."""
    facts: dict[str, Any] = {"answer": turn.answer.text, "labels": list(turn.answer.labels)}
    facts |= {"scores": dict(turn.answer.scores)} if turn.answer.scores else {}
    return {**facts, **({"finish": turn.answer.finish} if turn.answer.finish else {})}
