"""Questions that documents are measured on: their answers, the places that hold them, or that nothing does."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dragoman.core import durable
from dragoman.core.documents import Chunk
from dragoman.core.errors import UserError

__all__ = ["Place", "Question", "read_questions", "row_of", "write_questions"]

TEXTS = ("question", "prompt", "text")
ANSWERS = ("answers", "answer", "completion")
SHAPE = '{"question": "...", "answers": ["..."], "relevant": ["SOURCE"]}'


@dataclass(frozen=True, slots=True)
class Place:
    """A source, or `[start, end)` of its text, that holds an answer."""

    source: str
    start: int = 0
    end: int = 0
    "0 where the whole source is meant"

    @property
    def name(self) -> str:
        """What it is called in a ranking."""
        return f"{self.source}:{self.start}-{self.end}" if self.end else self.source

    def holds(self, chunk: Chunk) -> bool:
        """Whether a piece of a document is of this place, or shares a letter with it."""
        if chunk.source != self.source:
            return False
        return not self.end or (chunk.start < self.end and chunk.end > self.start)


@dataclass(frozen=True, slots=True)
class Question:
    """A question with what is known of its answer; with neither answers nor places, the documents do not answer it."""

    id: str
    text: str
    answers: tuple[str, ...] = ()
    relevant: tuple[Place, ...] = ()
    by: str = ""
    "what made it from the documents, `rule` or the name of a model; empty where a person asked it"

    @property
    def answerable(self) -> bool:
        """Whether the documents answer it."""
        return bool(self.answers or self.relevant)


def read_questions(path: Path) -> tuple[Question, ...]:
    """The questions of a file, one JSON object a line. An empty answer says that the documents hold none.

    Raises UserError with the line of the first row that is no question, says nothing of its answer, or has the id of
    another.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", f"write one question a line: {SHAPE}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: {error.reason} at byte {error.start}", "save it as UTF-8") from None
    found: dict[str, Question] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            one = _question(line, f"{path}:{number}", number)
            if one.id in found:
                raise UserError(f"{path}:{number} has the id '{one.id}' of another question", "give each its own id")
            found[one.id] = one
    if not found:
        raise UserError(f"{path} holds no question", f"write one a line: {SHAPE}")
    return tuple(found.values())


def write_questions(path: Path, questions: Sequence[Question]) -> None:
    """Write a file that `read_questions` reads, whole or not at all."""
    lines = [json.dumps(row_of(one), ensure_ascii=False) for one in questions]
    durable.write(path, ("\n".join(lines) + "\n").encode("utf-8"))


def row_of(question: Question) -> dict[str, Any]:
    """A question as one line of a file; one that was made from the documents says so."""
    relevant = [
        {"source": one.source, "start": one.start, "end": one.end} if one.end else one.source
        for one in question.relevant
    ]
    row: dict[str, Any] = {"id": question.id, "question": question.text, "answers": list(question.answers)}
    row |= {"relevant": relevant} if relevant else {}
    return row | ({"generated": True, "by": question.by} if question.by else {})


def _question(line: str, where: str, number: int) -> Question:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise UserError(f"{where} is no JSON", f"write one question a line: {SHAPE}") from None
    if not isinstance(row, dict):
        raise UserError(f"{where} is no JSON object", f"write one question a line: {SHAPE}")
    text = next((row[name] for name in TEXTS if isinstance(row.get(name), str)), "").strip()
    if not text:
        raise UserError(f"{where} holds no question", f"write one question a line: {SHAPE}")
    said = [name for name in (*ANSWERS, "relevant") if row.get(name) is not None]
    if not said:
        raise UserError(
            f"{where} says neither what the answer is nor where it stands",
            'give "answers" or "relevant"; where the documents do not answer, "answers": []',
        )
    given: Any = next((row[name] for name in ANSWERS if row.get(name) is not None), [])
    answers = [given] if isinstance(given, str) else given
    if not isinstance(answers, list) or not all(isinstance(one, str) for one in answers):
        raise UserError(f"{where} has answers that are no texts", 'write "answers": ["one", "another"]')
    by = str(row.get("by") or "unknown") if row.get("generated") is True else ""
    kept = tuple(one.strip() for one in answers if one.strip())
    return Question(str(row.get("id") or number), text, kept, _places(row.get("relevant") or [], where), by)


def _places(given: Any, where: str) -> tuple[Place, ...]:
    found = []
    for one in given if isinstance(given, list) else [given]:
        table: Any = {"source": one} if isinstance(one, str) else one
        if not isinstance(table, Mapping) or not isinstance(table.get("source"), str):
            raise UserError(f"{where} has a relevant place without a source", 'write "relevant": ["SOURCE"]')
        ends = (table.get("start", 0), table.get("end", 0))
        whole = all(isinstance(end, int) and not isinstance(end, bool) for end in ends)
        if not whole or not (0 <= ends[0] < ends[1] or ends == (0, 0)):
            raise UserError(
                f"{where} has a relevant place from {ends[0]} to {ends[1]}",
                "start and end count the characters of the source, and start is the smaller one",
            )
        found.append(Place(table["source"], *ends))
    return tuple(dict.fromkeys(found))
