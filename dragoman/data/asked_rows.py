"""Reads prompts that are to be answered, with the answers there are already, out of rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dragoman.core.errors import UserError
from dragoman.core.show import many
from dragoman.core.types import Message
from dragoman.data.dialogue import messages_of, transcript
from dragoman.data.problems import Problem, Row, refuse
from dragoman.data.read import scan
from dragoman.data.shapes.preference import Preference
from dragoman.data.shaping import tidy

__all__ = ["Asked", "read_asked"]

PROMPTS = ("prompt", "messages", "conversations", "instruction", "question", "text")
MOST = 4  # completions of a row: six pairs


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt, and the answers to it that the row holds."""

    id: str
    prompt: tuple[Message, ...]
    answers: tuple[str, ...] = ()
    decided: bool = False
    "whether people preferred the first of the two answers"
    benign: bool = False
    "whether the row says that nothing harmful is asked, so that a refusal would be wrong"


def read_asked(source: str, *, keep_going: bool = False, root: Path = Path()) -> tuple[list[Asked], list[str]]:
    """Each prompt of a source, in its order, and what was left out or changed on the way, in words.

    A row holds `prompt` (a text or messages), or `chosen` and `rejected`; it may hold `completions` (two to four
    texts), `id` and `benign` (true). Raises UserError where a row cannot be read (unless `keep_going`), or none is.
    """
    taken: list[Asked] = []
    problems: list[Problem] = []
    notes: list[str] = []
    for row in scan(source, root=root):
        found = _asked(row, notes) if isinstance(row, Row) else row
        if isinstance(found, Problem):
            problems.append(found)
        else:
            taken.append(found)
    if not keep_going:
        refuse(problems, source, "keep_going=true leaves them out")
    if not taken:
        raise UserError(f"{source} holds no prompt", 'a row is {"prompt": TEXT}: dragoman revise prompts.jsonl')
    left = [one for one in problems if one.refused]
    said = [f"{many(len(left), 'row')} of {source} left out, the first: {left[0].reason}"] if left else []
    counts = {note: notes.count(note) for note in dict.fromkeys(notes)}
    told = ", ".join(f"{note} {count}" for note, count in counts.items())
    return taken, said + ([f"the texts of {source}: {told}"] if told else [])


def _asked(row: Row, said: list[str]) -> Asked | Problem:
    named = str(row.values.get("id") or row.place.line)
    benign = row.values.get("benign", False)
    if not isinstance(benign, bool):
        return Problem("wrong-type", row.place, f"benign is {benign!r:.40}, and says true or false")
    if "chosen" in row.values and "rejected" in row.values:
        shaped = Preference(prompt="prompt" if "prompt" in row.values else "")(row)
        if isinstance(shaped, Problem):
            return shaped
        example, notes = shaped
        said += notes
        return Asked(named, example.prompt, (*example.answers, example.rejected), True, benign)
    prompt = _prompt(row, said)
    if isinstance(prompt, Problem):
        return prompt
    answers = _completions(row, said) if "completions" in row.values else ()
    return answers if isinstance(answers, Problem) else Asked(named, prompt, answers, False, benign)


def _prompt(row: Row, said: list[str]) -> tuple[Message, ...] | Problem:
    """The messages up to the last that asks: an answer behind it is not part of the prompt."""
    name = next((name for name in PROMPTS if row.values.get(name)), "")
    value: Any = row.values.get(name)
    if isinstance(value, list):
        found = messages_of(value, row.place, said)
        if isinstance(found, Problem):
            return found
    elif isinstance(value, str):
        found = transcript(value, said) or [Message("user", tidy(value, said))]
    else:
        reason = "there is no prompt in this row" if not name else f"a prompt is no {type(value).__name__}"
        return Problem("no-question", row.place, reason)
    while found and (found[-1].role == "assistant" or not found[-1].content):
        found = found[:-1]
    if not found or found[-1].role not in ("user", "tool"):
        return Problem("no-question", row.place, "nobody asks at the end of the prompt")
    return tuple(found)


def _completions(row: Row, said: list[str]) -> tuple[str, ...] | Problem:
    given = row.values["completions"]
    held = f"{len(given)} completions" if isinstance(given, list) else f"a {type(given).__name__}"
    if not isinstance(given, list) or not 2 <= len(given) <= MOST:
        return Problem("wrong-completions", row.place, f"a row holds two to four completions, and this one {held}")
    texts = [one.get("text") if isinstance(one, Mapping) else one for one in given]
    cleaned = [tidy(text, said) if isinstance(text, str) else "" for text in texts]
    if not all(cleaned):
        return Problem("empty-answer", row.place, "a completion is empty, or no text")
    return tuple(dict.fromkeys(cleaned))
