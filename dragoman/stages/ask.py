"""Ask your documents, or the assistant of a run exactly as it was measured: a label, tags, an answer in its words.

A question alone is asked of the index in this folder: it is answered with sentences of the documents, or, with
model=..., in a model's own words that are held against them; sources stand below. -c goes on with the conversation.
Behind a run stands its text. Without either, questions are read from standard input, one a line.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dragoman.app.prompts import prompt_told
from dragoman.app.steps.guard import guard_hits
from dragoman.app.turn import Turn
from dragoman.core.errors import UserError
from dragoman.core.guarding import Guards, Prompting
from dragoman.core.show import Show
from dragoman.stages.answering import INDEX, Answering
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
    index: str = ""
    """The index of documents to ask, a file or a database; empty is index.sqlite in this folder, where a question
    stands alone."""
    model: str = ""
    "Who answers from documents in its own words: a folder, hf:owner/name or openai:...; empty quotes them."
    follow: bool = False
    "Go on with the conversation before: -c is the same."
    access: tuple[str, ...] = ()
    "The groups of who asks, for documents that not everybody may see."
    how: Answering = field(default_factory=Answering)
    "How questions are answered from documents."
    prompt: Prompting = field(default_factory=Prompting)
    "What a model that answers from documents is told in front of everything else."
    guards: Guards = field(default_factory=Guards)
    "What is kept from a model that answers from documents, and from its answers, besides what the index says."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Answer each question."""
    if question := _for_documents(settings):
        from dragoman.stages.ask_documents import Asking, ask_documents

        asking = Asking(
            settings.index or INDEX,
            settings.model,
            settings.how,
            settings.access,
            settings.follow,
            settings.prompt,
            settings.guards,
        )
        return ask_documents(asking, question, show)
    if settings.guards != Guards() or settings.prompt.file:
        said = "a run answers with the prompt and the guards that it was measured with"
        raise UserError(said, "say them in the project file, and make the run again: dragoman run")
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


def _for_documents(settings: Settings) -> list[str]:
    """The questions that are asked of an index: one is named, or a question stands alone where one lies."""
    alone = settings.run and not settings.text
    if not settings.index and not (alone and Path(INDEX).is_file() and any(map(str.isspace, settings.run))):
        return []
    given = settings.text or settings.run
    found = [given] if given else [line.strip() for line in sys.stdin if line.strip()]
    if not found:
        raise UserError("nothing is asked", 'write the question: dragoman ask "..."')
    return found


def _said(turn: Turn, task: str) -> str:
    """An answer for people: tags stand beside their words."""
    if turn.answer.finish == "refused":
        return "(no answer: this is longer than the model reads)"
    if turn.passages:
        from dragoman.stages.ask_documents import told

        return told(turn)
    if task == "tag":
        pairs = zip(turn.question.split(" "), turn.answer.labels, strict=False)
        return " ".join(f"{word}/{tag}" if tag != "O" else word for word, tag in pairs)
    score = turn.answer.scores.get(turn.answer.text)
    return f"{turn.answer.text}  {score:.3f}" if score is not None else turn.answer.text


def _fact(turn: Turn) -> dict[str, Any]:
    """An answer for programs."""
    if turn.passages:
        from dragoman.stages.ask_documents import fact_of

        return fact_of(turn)
    facts: dict[str, Any] = {"answer": turn.answer.text, "labels": list(turn.answer.labels)}
    facts |= {"scores": dict(turn.answer.scores)} if turn.answer.scores else {}
    facts |= {"finish": turn.answer.finish} if turn.answer.finish else {}
    prompt, hits = prompt_told(turn.trace), guard_hits(turn.trace)
    if prompt or hits:
        facts |= {"refused": turn.refused, "prompt": prompt, "guards": hits, "trace": list(turn.trace)}
    return facts
