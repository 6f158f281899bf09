"""The parts of a run's record that only gather what other runs already know: data card, lineage, warnings, baseline."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dragoman.core.project import Project
from dragoman.core.runs import Run

if TYPE_CHECKING:
    from dragoman.stages.climb import Climbed
    from dragoman.stages.judge import Judgement

__all__ = ["baseline", "data_card", "lineage", "warnings"]


def baseline(project: Project, prepared: Run) -> dict[str, Any]:
    """What always giving the most frequent label of the training rows would reach on validation; nothing where answers
    are no labels."""
    if project.scope.task != "classify":
        return {}
    from dragoman.stages.prepare import part

    seen = Counter(label for example in part(prepared, "train") for label in example.answers)
    label = min(seen, key=lambda name: (-seen[name], name))
    rows = part(prepared, "validation")
    return {"label": label, "accuracy": sum(example.answers == (label,) for example in rows) / max(len(rows), 1)}


def data_card(prepared: Run) -> dict[str, Any]:
    """The data card in the form the report draws."""
    card = prepared.results["card"]
    first = card["sources"][0]
    labels: dict[str, dict[str, int]] = card["labels"]
    splits = {
        name: {"rows": rows, "labels": {label: held.get(name, 0) for label, held in labels.items()}}
        for name, rows in card["parts"].items()
    }
    return {
        "source": ", ".join(source["source"] for source in card["sources"]),
        "read": card["rows"]["read"],
        "kept": card["rows"]["kept"],
        "dropped": {**card["rows"]["refused"], **card["rows"]["dropped"]},
        "columns": {name: column for name, column in first["columns"].items() if column},
        "splits": splits,
        "lengths": {
            name: _quantiles(card["length"][name]) for name in ("characters", "tokens") if name in card["length"]
        },
        "duplicates": {
            "exact": card["duplicates"]["exact"],
            "near": card["duplicates"]["near"],
            "conflicts": card["conflicts"],
        },
        "findings": [
            {name: one[name] for name in ("name", "severity", "count", "message", "hint")}
            for one in prepared.results["findings"]
        ],
    }


def _quantiles(found: dict[str, int]) -> dict[str, int]:
    return {"p50": found["median"], "p95": found["p95"], "max": found["max"]}


def warnings(project: Project, prepared: Run, climbed: "Climbed", judgement: "Judgement") -> list[str]:
    """What a reader must know before trusting the verdict."""
    said = []
    if judgement.openings > 1:
        said.append(
            f"The sealed test was opened {judgement.openings} times; each look more makes its figures a bit too good."
        )
    for one in climbed.skipped:
        said.append(f"The rung {one.rung} was not climbed: {one.note}.")
    for rung in climbed.rungs:
        if rung.plan.note and rung.plan.fits:
            said.append(f"The rung {rung.plan.rung} was cut: {rung.plan.note}.")
        if rung.run.results.get("cut"):
            length = project.models.max_length
            said.append(f"{rung.run.results['cut']:,} training texts were cut to {length} tokens for {rung.plan.rung}.")
            break
    for one in prepared.results["findings"]:
        if one["severity"] == "warning":
            said.append(f"{one['name']}: {one['message']}")
    said.append("No compressed form was made: that step does not exist yet.")
    return said


def lineage(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Which run came from which inputs, each by hash."""
    return [
        {"run": one.id, "verb": one.verb, "inputs": one.record["inputs"], "seconds": one.record.get("seconds")}
        for one in runs
    ]
