"""The data card: what was read, kept and left out, and what the parts look like, as one plain dictionary."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dragoman.core.types import Example
from dragoman.data.check_answers import whole
from dragoman.data.dedupe import conflicts, exact, near, words_of
from dragoman.data.load import Loaded
from dragoman.data.private import mask
from dragoman.data.problems import counted
from dragoman.data.split import Parts

__all__ = ["card"]

QUANTILES = {"min": 0.0, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}
SAMPLES = 3  # of each label
SHOWN = 200  # characters of a sample
PROBLEMS = 20  # listed; all are counted


def card(
    loaded: Sequence[Loaded],
    parts: Parts,
    *,
    near_duplicate: float = 0.8,
    count: Callable[[Sequence[str]], list[int]] | None = None,
    max_length: int = 0,
) -> dict[str, Any]:
    """The card of a prepared set, ready for JSON. `loaded` are the sources that were read, `parts` what came of them.

    `count` gives the length of texts in tokens; with `max_length` the card says how many are cut. Samples of the test
    part are not shown: it is sealed.
    """
    kept = [example for _, part in parts.items() for example in part]
    texts = [words_of(example) for example in kept]
    shape = loaded[0].shape if loaded else "classify"
    classes, tagged = shape == "classify", shape == "tag"
    read = texts if classes or tagged else [whole(example) for example in kept]
    alike = near(texts, near_duplicate)
    problems = [problem for source in loaded for problem in source.problems]
    return {
        "sources": [_source(source) for source in loaded],
        "rows": {
            "read": sum(source.rows for source in loaded),
            "kept": len(kept),
            "refused": counted(problems),
            "dropped": dict(parts.dropped),
        },
        "notes": dict(sum((Counter(source.notes) for source in loaded), Counter())),
        "said": [*(line for source in loaded for line in source.said), *parts.said],
        "shape": shape,
        "labels": _balance(parts, tagged) if classes or tagged else {},
        "parts": {name: len(part) for name, part in parts.items()},
        "length": _lengths(read, count, max_length),
        "answers": {} if classes or tagged else _lengths([one.answers[0] for one in kept if one.answers], count, 0),
        "duplicates": {
            "exact": sum(len(rows) - 1 for rows in exact(texts)),
            "near": len({row for one, other, _ in alike for row in (one, other)}),
            "threshold": near_duplicate,
        },
        "conflicts": len(conflicts(kept)),
        "problems": [
            {"name": problem.name, "place": str(problem.place), "reason": mask(problem.reason)}
            for problem in problems[:PROBLEMS]
        ],
        "samples": _samples(parts.train) if classes else {"": [_shown(one) for one in parts.train[:SAMPLES]]},
    }


def _source(source: Loaded) -> dict[str, Any]:
    columns = {"text": source.columns.text, "label": source.columns.label, "id": source.columns.id}
    return {
        "source": source.source,
        "rows": source.rows,
        "kept": len(source.examples),
        "columns": {**columns, "group": source.columns.group},
        "schema": {name: dict(column) for name, column in source.schema.items()},
    }


def _balance(parts: Parts, tagged: bool) -> dict[str, dict[str, int]]:
    """How often each label stands in each part; of tags, how many entities begin."""
    counts = {
        name: Counter(label for row in part for label in row.answers if not tagged or _begins(label))
        for name, part in parts.items()
    }
    labels = sorted(sum(counts.values(), Counter()).items(), key=lambda item: (-item[1], item[0]))
    return {label: {name: held[label] for name, held in counts.items()} for label, _ in labels}


def _begins(tag: str) -> bool:
    return tag != "O" and not tag.startswith("I-")


def _lengths(texts: Sequence[str], count: Callable[[Sequence[str]], list[int]] | None, limit: int) -> dict[str, Any]:
    if not texts:
        return {}
    found: dict[str, Any] = {"characters": _quantiles([len(text) for text in texts])}
    if count is not None:
        lengths = count(texts)
        found["tokens"] = _quantiles(lengths)
        if limit:
            found["cut"] = {"max_length": limit, "rows": sum(length > limit for length in lengths)}
    return found


def _quantiles(lengths: Sequence[int]) -> Mapping[str, int]:
    values = np.quantile(np.asarray(lengths), list(QUANTILES.values()), method="nearest")
    return {name: int(value) for name, value in zip(QUANTILES, values, strict=True)}


def _samples(examples: Sequence[Example]) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for example in examples:
        for label in example.answers:
            held = found.setdefault(label, [])
            if len(held) < SAMPLES:
                held.append({"text": _cut(example.text), "place": str(example.meta.get("place", ""))})
    return dict(sorted(found.items()))


def _shown(example: Example) -> dict[str, str]:
    """A sample of a set without labels: what is asked and what is answered."""
    answer = next(iter(example.answers), "") if len(example.answers) < SAMPLES else " ".join(example.answers)
    return {"text": _cut(example.text), "answer": _cut(answer), "place": str(example.meta.get("place", ""))}


def _cut(text: str) -> str:
    shown = mask(text)
    return shown if len(shown) <= SHOWN else shown[:SHOWN] + "..."
