"""From the journal to what is shown for review: the requests that people complained about, masked and each once."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dragoman.app.guards.personal import mask_personal
from dragoman.core.runs import all_runs
from dragoman.core.types import Message
from dragoman.data.collected import Review
from dragoman.data.dedupe import canonical
from dragoman.data.private import hints
from dragoman.data.seal import stand_sealed
from dragoman.serve.journal_read import Kept
from dragoman.stages.prepare import seal_of

__all__ = ["Item", "Wanted", "items_of", "label_of", "moment", "unsealed"]


NAMED = re.compile(r"\[([a-z-]+) \d+\]")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which requests are shown."""

    name: str
    "the project's name: requests of other projects are left out"
    labelled: bool
    labels: tuple[str, ...]
    take: tuple[str, ...]
    unsure: float
    "a label less probable than this is unsure"
    mask: bool


@dataclass(frozen=True, slots=True)
class Item:
    """One request to be decided on: `review` as it would be accepted, and what else a reviewer wants to know."""

    review: Review
    comment: str = ""


def items_of(kept: Iterable[Kept], wanted: Wanted, done: Sequence[Review]) -> tuple[list[Item], Counter[str]]:
    """What is to be reviewed, in the journal's order, and the counts of what was left out, by reason.

    What was reviewed before comes again only where it has been corrected since, and no right answer was known.
    """
    left: Counter[str] = Counter()
    known = {one.id: one for one in done}
    seen = {_key(one) for one in done}
    found: list[Item] = []
    for one in kept:
        if not _why(one, wanted, None):
            continue
        made, reason = _items(one, wanted)
        if reason:
            left[reason] += 1
        for item in made:
            before = known.get(item.review.id)
            if before is not None and (before.right or not item.review.right or before.decision == "skip"):
                left["reviewed before"] += 1
            elif _key(item.review) in seen:
                left["the same as another"] += 1
            else:
                seen.add(_key(item.review))
                found.append(item)
    return found, left


def _key(one: Review) -> tuple[object, ...]:
    return tuple((message.role, canonical(message.content)) for message in one.prompt), one.given, one.right


def _why(one: Kept, wanted: Wanted, score: float | None) -> str:
    """Why a request is shown; empty where it is not. Before the `score` of a label is read it may be unsure."""
    said = {"down": one.thumb == -1, "up": one.thumb == 1, "refused": one.entry.refused}
    if one.correction and "down" in wanted.take:
        return "corrected"
    if told := next((name for name in ("down", "refused") if said[name] and name in wanted.take), ""):
        return told
    if "unsure" in wanted.take and wanted.labelled and (score is None or score < wanted.unsure):
        return "unsure"
    return "up" if said["up"] and "up" in wanted.take else ""


def _items(one: Kept, wanted: Wanted) -> tuple[list[Item], str]:
    """One item a text of a request, or why there is none."""
    entry = one.entry
    lineage = _parsed(entry.lineage)
    lineage = lineage if isinstance(lineage, dict) else {}
    if entry.status >= 400:
        return [], "failed"
    if lineage.get("project", wanted.name) != wanted.name:
        return [], "of another project"
    if (entry.route == "/v1/classify") != wanted.labelled or entry.route in ("/v1/tag", "/v1/embeddings"):
        return [], "of another task"
    if not one.texts or not entry.prompt:
        return [], "kept without texts"
    prompts = _prompts(_parsed(entry.prompt))
    answers = _answers(entry.answer, wanted.labelled)
    if not prompts or len(prompts) != len(answers):
        return [], "not one answer to one question"
    found = []
    for place, (prompt, (given, score)) in enumerate(zip(prompts, answers, strict=True)):
        why = _why(one, wanted, score)
        if not why:
            continue
        right = _right(one, given, why, wanted) if len(prompts) == 1 else ()
        mark = f"#{place}" if len(prompts) > 1 else ""
        facts = {"run": str(lineage.get("run", "")), "model": entry.model, "asked": moment(entry.at)}
        review = Review(f"{entry.id}{mark}", prompt, given, right, why, "accept", "", "", **facts)
        lost = one.correction if one.correction and not right else ""
        comment = "; ".join(text for text in (lost, one.comment) if text)
        found.append(_masked(Item(review, comment)) if wanted.mask else Item(review, comment))
    return found, ""


def moment(seconds: float) -> str:
    """A moment in seconds since 1970, in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parsed(text: str) -> Any:
    """JSON, or None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _prompts(said: Any) -> list[tuple[Message, ...]]:
    """What was asked: one dialogue, or several texts. Empty where it is neither."""
    if not isinstance(said, list) or not said:
        return []
    if all(isinstance(one, str) for one in said):
        return [(Message("user", one),) for one in said]
    if all(isinstance(one, dict) and {"role", "content"} <= one.keys() for one in said):
        return [tuple(Message(str(one["role"]), str(one["content"])) for one in said)]
    return []


def _answers(text: str, labelled: bool) -> list[tuple[tuple[str, ...], float]]:
    """The answer to each text with its probability; 1 where none is told."""
    if not labelled:
        return [((text,) if text else (), 1.0)]
    results = _parsed(text)
    found = []
    for one in results if isinstance(results, list) else []:
        held = one.get("labels") or ([one["label"]] if one.get("label") else []) if isinstance(one, dict) else []
        score = one.get("score") if isinstance(one, dict) else None
        found.append((tuple(str(label) for label in held), float(score) if isinstance(score, int | float) else 1.0))
    return found


def _right(one: Kept, given: tuple[str, ...], why: str, wanted: Wanted) -> tuple[str, ...]:
    """The right answer as far as it is known: what was corrected, or what was liked."""
    if why == "corrected":
        return label_of(one.correction, wanted.labels) if wanted.labelled else (one.correction,)
    return given if why == "up" else ()


def label_of(text: str, labels: Sequence[str]) -> tuple[str, ...]:
    """The labels that a person wrote, with commas between: by name or by number from 1; none where one is not known.

    Without known labels every word is one.
    """
    found = []
    for word in (part.strip() for part in text.split(",")):
        named = [label for label in labels if label.casefold() == word.casefold()]
        if not named and word.isascii() and word.isdigit() and 0 < int(word) <= len(labels):
            named = [labels[int(word) - 1]]
        if (not named and labels) or not word:
            return ()
        found.append(named[0] if named else word)
    return tuple(dict.fromkeys(found))


def _masked(item: Item) -> Item:
    """Without what is personal; the same value has the same name in all texts."""
    names: dict[str, str] = {}

    def masked(text: str) -> str:
        found = mask_personal(text, hints, start=names)
        names.update({held: name for name, held in found.held.items()})
        return found.text

    review = item.review
    prompt = tuple(Message(one.role, masked(one.content)) for one in review.prompt)
    given, right = (tuple(masked(text) for text in texts) for texts in (review.given, review.right))
    return Item(replace(review, prompt=prompt, given=given, right=right), masked(item.comment))


def unsealed(items: Sequence[Item], runs: Path) -> list[Item]:
    """The items whose question stands in no sealed test of these runs: by hash, without opening any.

    What was asked may be masked, here or in the journal: the test's texts are masked as well before they are compared.
    """
    texts = ["\n".join(one.content for one in item.review.prompt if one.role == "user") for item in items]
    gone: set[int] = set()
    for run in all_runs(runs):
        if run.verb == "prepare" and run.finished and seal_of(run).is_dir():
            gone |= stand_sealed(seal_of(run), texts, _without_names)
    return [item for place, item in enumerate(items) if place not in gone]


def _without_names(text: str) -> str:
    """The text masked, without the numbers that tell two values of a kind apart: they depend on where they stood."""
    return NAMED.sub(r"[\1]", mask_personal(text, hints).text)
