"""The preflight of answers that are texts: what is said of them that is not said of labels."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from dragoman.core.types import Example
from dragoman.data.dedupe import canonical, conflicts
from dragoman.data.finding import Finding, sample_of

__all__ = ["answers_found", "whole"]

Count = Callable[[Sequence[str]], list[int]]
TWIN = 0.5  # of the rows may have one answer before it is what the model will say to everything


def whole(example: Example) -> str:
    """All that is read and learnt of an example: every message and the first answer, a line each."""
    return "\n".join([*(message.content for message in example.prompt), *example.answers[:1]])


def answers_found(examples: Sequence[Example], tagged: bool, count: Count | None) -> list[Finding]:
    """What is odd about the answers, and how long they are. With `tagged` they are one tag a word.

    Findings: one-answer, frequent-answer, different-answers, no-entity, lengths.
    """
    if not examples:
        return []
    return _tags(examples) if tagged else [*_alike(examples), *_different(examples), _lengths(examples, count)]


def _alike(examples: Sequence[Example]) -> list[Finding]:
    """Answers that are all, or mostly, the same."""
    counts = Counter(canonical(example.answers[0]) for example in examples if example.answers)
    if len(examples) < 2 or not counts:
        return []
    most, rows = counts.most_common(1)[0]
    first = next(example for example in examples if example.answers and canonical(example.answers[0]) == most)
    sample = sample_of(first, first.answers[0])
    if len(counts) == 1:
        message = f"all {rows:,} answers are the same: there is nothing to learn"
        hint = "data.columns.label=NAME names another column"
        return [Finding("one-answer", "error", rows, message, sample, hint)]
    if rows > TWIN * len(examples) and len(counts) > 2:
        message = f"{rows:,} of {len(examples):,} answers are the same: a model may learn to say nothing else"
        return [Finding("frequent-answer", "warning", rows, message, sample, "leave most of those rows out")]
    return []


def _different(examples: Sequence[Example]) -> list[Finding]:
    """One prompt with several answers: right for a text that may be written in many ways, so only said."""
    asked = [example for example in examples if example.prompt]
    clash = conflicts(asked)
    if not clash:
        return []
    first = asked[clash[0][0]]
    message = f"{len(clash):,} prompts stand with different answers, the first at {first.meta.get('place', '')}"
    return [Finding("different-answers", "note", len(clash), message, sample_of(first))]


def _lengths(examples: Sequence[Example], count: Count | None) -> Finding:
    answers = [example.answers[0] for example in examples if example.answers]
    unit = "characters" if count is None else "tokens"
    lengths = [len(answer) for answer in answers] if count is None else count(answers)
    if not lengths:
        return Finding("lengths", "note", 0, "no row has an answer")
    half, most = (int(value) for value in np.quantile(np.asarray(lengths), (0.5, 0.95), method="nearest"))
    longest = max(range(len(lengths)), key=lengths.__getitem__)
    message = f"answers have {half:,} {unit} at the median, {most:,} at the 95 % mark and {lengths[longest]:,} at most"
    return Finding("lengths", "note", len(lengths), message)


def _tags(examples: Sequence[Example]) -> list[Finding]:
    """How many rows hold an entity, and of which kinds; an error where none does."""
    kinds = Counter(tag.partition("-")[2] or tag for example in examples for tag in example.answers if _begins(tag))
    if not kinds:
        message = "no word has a tag other than O: there is nothing to learn"
        hint = "data.columns.label=NAME names another column"
        return [Finding("no-entity", "error", len(examples), message, sample_of(examples[0]), hint)]
    shown = ", ".join(f"{kind} {rows:,}" for kind, rows in kinds.most_common(10))
    more = f" and {len(kinds) - 10} more" if len(kinds) > 10 else ""
    held = sum(any(tag != "O" for tag in example.answers) for example in examples)
    message = f"{held:,} of {len(examples):,} rows hold a tagged word; {shown}{more}"
    return [Finding("tags", "note", sum(kinds.values()), message)]


def _begins(tag: str) -> bool:
    return tag != "O" and not tag.startswith("I-")
