"""Answers questions from an index of documents, and shows where each answer stands."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dragoman.app.passages import named
from dragoman.app.turn import Turn
from dragoman.core import durable
from dragoman.core.doors import LM
from dragoman.core.show import Show
from dragoman.core.types import Message
from dragoman.stages.shelf import Answering, answering, open_shelf

__all__ = ["ask_documents", "fact_of", "told"]

LAST = 12  # messages of a conversation that are kept
SHOWN = 300  # characters of a quotation on the terminal


def ask_documents(
    path: Path, questions: Sequence[str], model: str, how: Answering, access: Sequence[str], follow: bool, show: Show
) -> int:
    """Answer each question, and keep the conversation for the next one. Exit code 1 where none was answered."""
    shelf = open_shelf(path)
    assistant = answering(shelf, how, _opened(model), access)
    kept = path.with_suffix(".conversation.json")
    messages = _conversation(kept) if follow else []
    turns = []
    for question in questions:
        (turn,) = assistant.answer([(*messages, Message("user", question))])
        turns.append(turn)
        messages = [*messages, Message("user", question), Message("assistant", turn.answer.text)][-LAST:]
        if not show.json:
            print(told(turn))
    durable.write_json(kept, [asdict(message) for message in messages])
    show.result({"index": str(path), "answers": [fact_of(turn) for turn in turns]})
    return 0 if any(not turn.refused for turn in turns) else 1


def told(turn: Turn) -> str:
    """An answer for people, with its sources below."""
    lines = [turn.answer.text]
    numbers = dict.fromkeys(citation.number for citation in turn.citations)
    for number in numbers:
        passage = next(one for one in turn.passages if one.number == number)
        lines.append(f"  [{number}] {named(passage.chunk)}")
        quoted = [one for one in turn.citations if one.number == number and one.end]
        for one in quoted[:2]:
            text = " ".join(passage.chunk.text[one.start : one.end].split())
            if text not in turn.answer.text:
                lines.append(f'      "{text[:SHOWN]}"')
    return "\n".join(lines)


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
    return {**facts, "citations": citations, "passages": passages, "trace": list(turn.trace)}


def _opened(model: str) -> LM | None:
    if not model:
        return None
    from dragoman.models.open import open_lm

    lm: LM = open_lm(model)
    return lm


def _conversation(kept: Path) -> list[Message]:
    """What was said before; nothing where nothing was."""
    try:
        return [Message(str(one["role"]), str(one["content"])) for one in json.loads(kept.read_bytes())]
    except (OSError, ValueError, KeyError, TypeError):
        return []
