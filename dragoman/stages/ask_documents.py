"""Answers questions from an index of documents, and shows where each answer stands."""

import hashlib
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dragoman.app.passages import named
from dragoman.app.prompts import prompt_told
from dragoman.app.steps.guard import guard_hits
from dragoman.app.turn import Turn
from dragoman.core import durable
from dragoman.core.doors import WritingLM
from dragoman.core.errors import UserError
from dragoman.core.guarding import Guards, Prompting
from dragoman.core.show import Show, visible
from dragoman.core.types import Message
from dragoman.rag.stores.open import file_of
from dragoman.stages.answering import Answering
from dragoman.stages.ask_streamed import streamed
from dragoman.stages.shelf import Shelf, Threshold, answering, around_of, open_shelf, threshold_of

__all__ = ["Asking", "ask_documents", "fact_of", "sources_told", "told"]

LAST = 12  # messages of a conversation that are kept
WRITTEN = ("canary", "links", "marks")
"guards that do nothing where no model writes"
SHOWN = 300  # characters of a quotation on the terminal


@dataclass(frozen=True)
class Asking:
    """What is asked, who answers, and what stands around it."""

    index: str
    model: str = ""
    "who answers in its own words; empty quotes the documents"
    how: Answering = field(default_factory=Answering)
    access: tuple[str, ...] = ()
    follow: bool = False
    prompt: Prompting = field(default_factory=Prompting)
    guards: Guards = field(default_factory=Guards)
    "laid over those that the index keeps"


def ask_documents(asking: Asking, questions: Sequence[str], show: Show) -> int:
    """Answer each question, and keep the conversation for the next one. Exit code 1 where none was answered."""
    if asking.prompt.file and not asking.model:
        raise UserError("no model reads the prompt: the documents are quoted", "name one that writes: model=...")
    said = [name for name in WRITTEN if getattr(asking.guards, name) != getattr(Guards(), name)]
    if said and not asking.model:
        problem = f"guards.{said[0]} guards what a model writes, and the documents are quoted"
        raise UserError(problem, "name one that writes: model=...")
    shelf = open_shelf(asking.index)
    with closing(shelf.store):
        turns, threshold = _answered(asking, shelf, questions, show)
    facts = {"index": asking.index, "threshold": asdict(threshold)}
    show.result({**facts, "answers": [fact_of(turn) for turn in turns]})
    return 0 if any(not turn.refused for turn in turns) else 1


def _answered(asking: Asking, shelf: Shelf, questions: Sequence[str], show: Show) -> tuple[list[Turn], Threshold]:
    """Each question answered in turn, and the threshold that was in force."""
    threshold = threshold_of(shelf, asking.how)
    around = around_of(shelf, asking.guards, asking.prompt)
    lm = _opened(asking.model)
    assistant = answering(shelf, asking.how, lm, asking.access, around)
    file = _kept(asking.index)
    messages = _conversation(file) if asking.follow else []
    turns = []
    for question in questions:
        asked = (*messages, Message("user", question))
        if lm is not None and not asking.how.tools and not show.json and sys.stdout.isatty():
            turn = streamed(assistant, lm, asked, sys.stdout)
            rest = sources_told(turn)
        else:
            (turn,) = assistant.answer([asked])
            rest = told(turn)
        turns.append(turn)
        messages = [*messages, Message("user", question), Message("assistant", turn.answer.text)][-LAST:]
        if not show.json:
            print(*([rest] if rest else []), *([_why(turn, threshold)] if turn.refused else []), sep="\n")
    durable.write_json(file, [asdict(message) for message in messages])
    return turns, threshold


def told(turn: Turn) -> str:
    """An answer for people, with its sources below."""
    below = sources_told(turn)
    return visible(turn.answer.text) + (f"\n{below}" if below else "")


def sources_told(turn: Turn) -> str:
    """The sources of an answer, one a line, with what it took from each where it does not quote it."""
    lines = []
    numbers = dict.fromkeys(citation.number for citation in turn.citations)
    for number in numbers:
        passage = next(one for one in turn.passages if one.number == number)
        lines.append(f"  [{number}] {named(passage.chunk)}")
        quoted = [one for one in turn.citations if one.number == number and one.end]
        for one in quoted[:2]:
            text = " ".join(passage.chunk.text[one.start : one.end].split())
            if text not in turn.answer.text:
                lines.append(f'      "{text[:SHOWN]}"')
    return visible("\n".join(lines))


def _why(turn: Turn, threshold: Threshold) -> str:
    """Why a question was refused, and who chose the threshold."""
    why = turn.trace[-1] if turn.trace else ""
    return f"  {why} ({threshold.said})" if why.startswith("refuse: ") and turn.passages else f"  {why}"


def fact_of(turn: Turn) -> dict[str, Any]:
    """An answer for programs: every passage that was looked at, and which of their words the answer stands on."""
    passages = [
        {
            "number": one.number,
            "source": one.chunk.source,
            "page": one.chunk.page,
            "path": list(one.chunk.path),
            "start": one.chunk.start,
            "end": one.chunk.end,
            "text": one.chunk.text,
            "score": one.score,
        }
        for one in turn.passages
    ]
    citations = [asdict(one) for one in turn.citations]
    facts = {"question": turn.question, "sought": turn.sought, "answer": turn.answer.text, "refused": turn.refused}
    facts |= {"prompt": prompt_told(turn.trace), "guards": guard_hits(turn.trace)}
    return {**facts, "citations": citations, "passages": passages, "trace": list(turn.trace)}


def _opened(model: str) -> WritingLM | None:
    if not model:
        return None
    from dragoman.models.open import open_lm

    lm: WritingLM = open_lm(model)
    return lm


def _kept(path: str) -> Path:
    """Where the conversation about an index is kept: beside its file, or in this folder for one in a database."""
    file = file_of(path)
    if file is not None:
        return file.with_suffix(".conversation.json")
    return Path(f"{path.partition(':')[0]}-{hashlib.sha256(path.encode()).hexdigest()[:12]}.conversation.json")


def _conversation(kept: Path) -> list[Message]:
    """What was said before; nothing where nothing was."""
    try:
        return [Message(str(one["role"]), str(one["content"])) for one in json.loads(kept.read_bytes())]
    except (OSError, ValueError, KeyError, TypeError):
        return []
