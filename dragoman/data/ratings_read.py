"""Reads sets of completions to rate, and thumbs that were collected elsewhere, out of rows."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from dragoman.core.errors import UserError
from dragoman.core.show import many
from dragoman.core.types import Message
from dragoman.data.dialogue import messages_of, transcript
from dragoman.data.problems import Problem, Row, refuse
from dragoman.data.ratings import MOST, Item, Thumb
from dragoman.data.read import scan
from dragoman.data.shaping import absent, tidy

__all__ = ["DOWN", "FORM", "UP", "read_items", "read_thumbs"]

FORM = '{"prompt": TEXT, "completions": [TEXT, TEXT]} with two to four completions a row'
KEEP_GOING = "keep_going=true leaves them out"
TEXTS = ("content", "response", "text")
LABELS = ("label", "thumbs", "thumb", "thumbs_up", "feedback")
RATERS = ("rater", "user")
UP = {
    "up", "thumbs_up", "thumbs up", "+1", "1", "1.0", "true", "yes", "good", "like", "liked", "desirable",
    "\N{THUMBS UP SIGN}",
}  # fmt: skip
DOWN = {
    "down", "thumbs_down", "thumbs down", "-1", "-1.0", "0", "0.0", "false", "no", "bad", "dislike", "disliked",
    "undesirable", "\N{THUMBS DOWN SIGN}",
}  # fmt: skip
Shaped = TypeVar("Shaped")


def read_items(source: str, *, keep_going: bool = False, root: Path = Path()) -> tuple[list[Item], list[str]]:
    """Each item of a source once, in its order, and what was left out or changed on the way, in words.

    A row holds `prompt` (a text or messages), `completions` (two to four texts) and may hold `id` and `models`.
    Raises UserError where a row cannot be read (unless `keep_going`) or nothing is left to compare.
    """
    rows, said = _rows(source, _item, keep_going, root)
    different = [one for one in rows if len(one.completions) > 1]
    once: dict[str, Item] = {}
    for one in different:
        once.setdefault(one.key, one)
    items = list(once.values())
    if len(different) < len(rows):
        said.append(f"{many(len(rows) - len(different), 'row')} left out: all completions are the same text")
    if len(items) < len(different):
        said.append(f"{many(len(different) - len(items), 'row')} left out: the same prompt and completions again")
    if not items:
        raise UserError(f"{source} holds nothing to compare", f"a row is {FORM}: dragoman rate completions.jsonl")
    return items, said


def read_thumbs(
    source: str, *, criterion: str, rater: str, keep_going: bool = False, root: Path = Path()
) -> tuple[list[Thumb], list[str]]:
    """Each thumb of a source: rows hold `messages` that end with the answer (or `prompt` and `completion`) and a
    `label` or `thumbs`; a row that names its `rater` or `user` is theirs. Raises UserError as `read_items` does."""

    def shape(row: Row, said: list[str]) -> Thumb | Problem:
        return _thumb(row, criterion, rater, said)

    rows, said = _rows(source, shape, keep_going, root)
    if not rows:
        raise UserError(f"{source} holds no thumbs", "name a file that does: dragoman rate thumbs=feedback.jsonl")
    return rows, said


def _rows(
    source: str, shape: Callable[[Row, list[str]], Shaped | Problem], keep_going: bool, root: Path
) -> tuple[list[Shaped], list[str]]:
    """The rows of a source in a shape, and what is to be said of them."""
    taken: list[Shaped] = []
    problems: list[Problem] = []
    notes: list[str] = []
    for row in scan(source, root=root):
        found = shape(row, notes) if isinstance(row, Row) else row
        if isinstance(found, Problem):
            problems.append(found)
        else:
            taken.append(found)
    if not keep_going:
        refuse(problems, source, KEEP_GOING)
    refused = [one for one in problems if one.refused]
    said = [f"{many(len(refused), 'row')} of {source} left out, the first: {refused[0].reason}"] if refused else []
    changed = {note: notes.count(note) for note in dict.fromkeys(notes)}
    told = ", ".join(f"{note} {count}" for note, count in changed.items())
    return taken, said + ([f"the texts of {source}: {told}"] if told else [])


def _item(row: Row, said: list[str]) -> Item | Problem:
    prompt = _prompt(row, "prompt", said)
    if isinstance(prompt, Problem):
        return prompt
    given = row.values.get("completions")
    if given is None:
        return absent(row, "completions")
    if not isinstance(given, list) or not 2 <= len(given) <= MOST:
        held = f"{len(given)} completions" if isinstance(given, list) else f"a {type(given).__name__}"
        return Problem("wrong-completions", row.place, f"a row holds two to four completions, and this one {held}")
    models = row.values.get("models") or [one.get("model", "") if isinstance(one, Mapping) else "" for one in given]
    if not isinstance(models, list) or len(models) != len(given) or not all(isinstance(one, str) for one in models):
        return Problem("wrong-models", row.place, "models names one model for each completion")
    texts: dict[str, str] = {}
    for value, model in zip(given, models, strict=True):
        text = _text(value)
        if text is None:
            return Problem("wrong-type", row.place, f"a completion is a text, and this is a {type(value).__name__}")
        text = tidy(text, said)
        if not text:
            return Problem("empty-answer", row.place, "a completion is empty")
        if text in texts:
            said.append("equal-completions")
        texts.setdefault(text, model)
    named = tuple(texts.values()) if any(texts.values()) else ()
    return Item(str(row.values.get("id") or row.place.line), prompt, tuple(texts), named)


def _text(value: Any) -> str | None:
    """The text of a completion: itself, or what a message or an answer of UltraFeedback holds."""
    if isinstance(value, Mapping):
        value = next((value[name] for name in TEXTS if name in value), None)
    return value if isinstance(value, str) else None


def _prompt(row: Row, column: str, said: list[str]) -> tuple[Message, ...] | Problem:
    """The messages of a prompt; the last of them asks."""
    value = row.values.get(column)
    if value is None:
        return absent(row, column)
    if isinstance(value, list):
        found = messages_of(value, row.place, said)
    elif isinstance(value, str):
        spoken = [one for one in transcript(value, said) or () if one.content]  # it may end with "Assistant:"
        found = spoken or [Message("user", tidy(value, said))]
    else:
        return Problem("wrong-type", row.place, f"a prompt is a text or messages, not a {type(value).__name__}")
    return found if isinstance(found, Problem) else _asking(found, row)


def _asking(found: list[Message], row: Row) -> tuple[Message, ...] | Problem:
    if not found or found[-1].role not in ("user", "tool") or not found[-1].content:
        return Problem("no-question", row.place, "nobody asks at the end of the prompt")
    return tuple(found)


def _thumb(row: Row, criterion: str, rater: str, said: list[str]) -> Thumb | Problem:
    answer: Any
    prompt: tuple[Message, ...] | Problem
    if "messages" in row.values:
        found = messages_of(row.values["messages"], row.place, said)
        if isinstance(found, Problem):
            return found
        if len(found) < 2 or found[-1].role != "assistant":
            return Problem("empty-answer", row.place, "the messages do not end with an answer of the assistant")
        prompt, answer = _asking(found[:-1], row), found[-1].content
    else:
        prompt, answer = _prompt(row, "prompt", said), _text(row.values.get("completion"))
        answer = tidy(answer, said) if answer is not None else ""
    if isinstance(prompt, Problem):
        return prompt
    if not answer:
        return Problem("empty-answer", row.place, "there is no answer that the thumb is about")
    name = next((name for name in LABELS if name in row.values), "")
    if not name:
        return absent(row, LABELS[0])
    word = str(row.values[name]).strip().lower()
    if word not in UP | DOWN:
        return Problem("unknown-thumb", row.place, f"'{word[:20]}' is neither up nor down", "say true or false")
    who = next((row.values[name] for name in RATERS if isinstance(row.values.get(name), str)), rater)
    return Thumb(prompt, answer, word in UP, who, criterion)
