"""Rows that come from what people thought of served answers: each was reviewed, and says where it comes from.

One journal of reviews is the truth, in the folder `collected` beside the project file. Three files follow from it, made
anew after each review: examples to learn from, preferences, and cases to be measured on. Which request becomes a case
is decided by the hash of what was asked, so that the same question is never learnt from and measured on.
"""

import fcntl
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from dragoman.core import durable
from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message
from dragoman.data.dedupe import canonical, overlap, unique, words_of
from dragoman.data.examples import read_examples
from dragoman.data.prompt_leaks import prompt_leaks
from dragoman.data.split import Parts

__all__ = [
    "COLLECTED",
    "FOLDER",
    "Collected",
    "Review",
    "add_review",
    "apart",
    "is_case",
    "join",
    "made_of",
    "read_collected",
    "read_reviews",
    "write_collected",
]

COLLECTED = "collected"
"the key in the meta of an example"
FOLDER = "collected"
"the folder beside the project file"
REVIEWS = "reviews.jsonl"
FILES = ("examples", "preferences", "cases")
Decision = Literal["accept", "skip"]


@dataclass(frozen=True, slots=True)
class Review:
    """What a person decided of one request."""

    id: str
    "the request, and behind # which of its texts where it had several"
    prompt: tuple[Message, ...]
    given: tuple[str, ...]
    "the answer that was given; of labels all that held"
    right: tuple[str, ...]
    "the right answer; empty where only the given one is known to be wrong"
    why: str
    "why it was shown: corrected, down, up, refused or unsure"
    decision: Decision
    by: str
    "who reviewed, in their own word"
    reviewed: str
    "when, in UTC"
    asked: str
    "when the request came, in UTC"
    run: str = ""
    "the run whose answer it was"
    model: str = ""


@dataclass(frozen=True)
class Collected:
    """What follows from the reviews."""

    examples: tuple[Example, ...] = ()
    preferences: tuple[Example, ...] = ()
    cases: tuple[Example, ...] = ()
    "to be measured on; `given` in the meta is the answer that people were given"


def is_case(text: str) -> bool:
    """Whether what was asked is measured on, and never learnt from: half of all questions, by their hash alone."""
    return hashlib.sha256(canonical(text).encode("utf-8", "surrogatepass")).digest()[0] % 2 == 0


def add_review(folder: Path, review: Review) -> None:
    """Write a decision down; when this returns it survives a kill."""
    _cut_torn(folder / REVIEWS)
    durable.append(folder / REVIEWS, json.dumps(asdict(review), ensure_ascii=False))


def _cut_torn(path: Path) -> None:
    """Take away a last line that a power cut broke off: it was never told to be kept, and would stand in the way."""
    if not path.is_file():
        return
    with path.open("r+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        held = stream.read()
        torn = held.rpartition(b"\n")[2]
        try:
            json.loads(torn.decode("utf-8") or "0")
        except ValueError:
            stream.truncate(len(held) - len(torn))


def read_reviews(folder: Path) -> list[Review]:
    """Every decision, in order; of several on one request the last one. A last line that a power cut broke off, one
    without its end, is none. Raises UserError at another line that is none, and where the file is not UTF-8."""
    path = folder / REVIEWS
    if not path.is_file():
        return []
    found: dict[str, Review] = {}
    *lines, torn = path.read_bytes().split(b"\n")
    for number, raw in enumerate([*lines, torn], 1):
        if not raw.strip():
            continue
        try:
            said = json.loads(raw.decode("utf-8"))
            messages = tuple(Message(one["role"], one["content"]) for one in said.pop("prompt"))
            given, right = tuple(said.pop("given")), tuple(said.pop("right"))
            found[said["id"]] = Review(prompt=messages, given=given, right=right, **said)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if raw is torn:
                break
            hint = "mend or delete that line; dragoman collect then makes the other files anew"
            raise UserError(f"{path}:{number} is no review: {error}", hint) from None
    return list(found.values())


def made_of(reviews: Sequence[Review], labelled: bool) -> Collected:
    """Examples, preferences and cases of the accepted reviews, each once, in the order of the reviews.

    A right answer is an example, and preferred to the wrong one that was given. An answer that is known to be wrong,
    with no right one beside it, is rejected for the right one of another review of the same question. Labels make no
    preferences.
    """
    accepted = [one for one in reviews if one.decision == "accept"]
    rows: dict[str, list[Example]] = {name: [] for name in FILES}
    right: dict[tuple[Message, ...], tuple[str, ...]] = {}
    for one in accepted:
        if one.right:
            right.setdefault(one.prompt, one.right)
    for one in accepted:
        answer = one.right or right.get(one.prompt, ())
        if not answer:
            continue
        example = Example(one.prompt, answer, meta=_meta(one))
        if is_case(words_of(example)):
            if one.right:
                rows["cases"].append(replace(example, meta={**example.meta, "given": list(one.given)}))
            continue
        if one.right:
            rows["examples"].append(example)
        if not labelled and one.given and one.given != answer:
            rows["preferences"].append(replace(example, rejected=one.given[0]))
    return Collected(*(tuple(_once(rows[name])) for name in FILES))


def _once(rows: Sequence[Example], before: Sequence[Example] = ()) -> list[Example]:
    """The rows, in their order, that do not stand in `before` and not earlier among themselves."""
    first = {id(one) for one in unique([*before, *rows])[0]}
    return [one for one in rows if id(one) in first]


def _meta(one: Review) -> dict[str, object]:
    known = {"id": one.id, "run": one.run, "model": one.model, "why": one.why, "by": one.by, "asked": one.asked}
    return {COLLECTED: True, **known, "reviewed": one.reviewed}


def write_collected(folder: Path, labelled: bool) -> Collected:
    """Make the three files anew from the reviews; each changes in one step. Raises UserError as `read_reviews`."""
    made = made_of(read_reviews(folder), labelled)
    for name in FILES:
        rows: Sequence[Example] = getattr(made, name)
        lines = [json.dumps(_plain(one), ensure_ascii=False) + "\n" for one in rows]
        durable.write(folder / f"{name}.jsonl", "".join(lines).encode("utf-8", "replace"))
    return made


def _plain(one: Example) -> dict[str, object]:
    prompt = [{"role": message.role, "content": message.content} for message in one.prompt]
    rejected = {"rejected": one.rejected} if one.rejected else {}
    return {"prompt": prompt, "answers": list(one.answers), **rejected, "meta": dict(one.meta), COLLECTED: True}


def read_collected(folder: Path) -> Collected:
    """The rows of the three files; none where they are not there. Raises UserError where a line is no example."""
    files = [folder / f"{name}.jsonl" for name in FILES]
    return Collected(*(tuple(read_examples(file)) if file.is_file() else () for file in files))


def join(
    parts: Parts, collected: Collected, labels: Sequence[str] = (), near_duplicate: float = 0.8
) -> tuple[Parts, int]:
    """The parts with what was collected in training alone, and how many rows that were.

    Validation and test stay what they are: a row that stands in them or in the cases, exactly or nearly, is left out,
    and so is one with a label that is not among `labels`, and one that training holds already. Where training holds
    the same text with other labels, the reviewed ones take their place. In data of preferences a preference stands for
    its example.
    """
    dropped: Counter[str] = Counter(parts.dropped)
    paired = any(one.rejected for one in parts.train)
    taken = {one.meta.get("id") for one in collected.preferences} if paired else set()
    rows = [*(collected.preferences if paired else ())]
    rows += [one for one in collected.examples if one.meta.get("id") not in taken]
    known = [one for one in rows if not labels or set(one.answers) <= set(labels)]
    if len(known) < len(rows):
        dropped["collected-label-unknown"] += len(rows) - len(known)
    for name, part in (("test", parts.test), ("validation", parts.validation), ("cases", collected.cases)):
        left = apart(known, part, near_duplicate)
        if len(left) < len(known):
            dropped[f"collected-row-in-{name}"] += len(known) - len(left)
        known = left
    train = list(parts.train)
    fresh = _once(known, train)
    if len(fresh) < len(known):
        dropped["collected-row-in-train"] += len(known) - len(fresh)
    if labels:
        said = {canonical(words_of(one)) for one in fresh}
        stay = [one for one in train if canonical(words_of(one)) not in said]
        if len(stay) < len(train):
            dropped["train-row-corrected"] += len(train) - len(stay)
        train = stay
    return replace(parts, train=(*train, *fresh), dropped=dict(dropped)), len(fresh)


def apart(mine: list[Example], part: Sequence[Example], threshold: float) -> list[Example]:
    """The rows that stand in no row of a part, exactly or nearly, nor begin as one of its prompts of preferences."""
    for _ in range(2):  # a part's row that is found exactly is not held against the others for nearness
        found = overlap([words_of(one) for one in mine], [words_of(one) for one in part], threshold)
        gone = {index for index, _ in (*found.exact, *prompt_leaks(mine, part))} | {one for one, _, _ in found.near}
        mine = [one for index, one in enumerate(mine) if index not in gone]
    return mine
