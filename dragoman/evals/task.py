"""What is measured: rows with their true answers, the labels, and the metrics by name."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dragoman.core.config import nearest
from dragoman.core.doors import Metric
from dragoman.core.errors import UserError
from dragoman.core.registry import Registry
from dragoman.core.types import Example

__all__ = ["LIMITS", "METRICS", "Task", "check_names", "known_names", "make_metrics", "make_task"]

METRICS = Registry("dragoman.metrics", "metric")
LIMITS = ("forgetting", "memory_mb", "p50_ms", "p95_ms", "size_mb")


@dataclass(frozen=True)
class Task:
    """Rows to answer, and what to measure about the answers."""

    examples: tuple[Example, ...]
    labels: tuple[str, ...]
    metrics: Mapping[str, Metric]
    multi_label: bool = False


def known_names(labels: Sequence[str], multi_label: bool = False) -> tuple[str, ...]:
    """Every metric a task with these labels can be measured by; `f1:LABEL` is the F1 of one label."""
    plain = [name for name in METRICS.names() if name != "f1" and not (multi_label and name == "mcc")]
    return (*plain, *(f"f1:{label}" for label in labels))


def check_names(names: Sequence[str], labels: Sequence[str], multi_label: bool = False) -> None:
    """Raise UserError at the first name that is neither a metric of the task nor a limit such as p95_ms.

    Call it before any work: a target on an unknown metric must not cost a training run.
    """
    known = (*known_names(labels, multi_label), *LIMITS)
    for name in names:
        if name == "mcc" and multi_label:
            raise UserError("mcc is not defined where several labels hold at once", "use macro_f1 in scope.target")
        if name not in known:
            raise UserError(f"there is no metric or limit named '{name}'", nearest(name, known))


def make_metrics(names: Sequence[str], labels: Sequence[str], multi_label: bool = False) -> dict[str, Metric]:
    """The metrics of the given names with the labels of the task filled in. Raises UserError for an unknown name."""
    made: dict[str, Metric] = {}
    for name in names:
        check_names([name], labels, multi_label)
        if name in LIMITS:
            raise UserError(f"{name} is a limit, not a metric", nearest(name, known_names(labels, multi_label)))
        plain, _, label = name.partition(":")
        filled: dict[str, Any] = {"labels": tuple(labels), "multi_label": multi_label, "label": label}
        fields = {field.name for field in dataclasses.fields(METRICS.kind(plain))}
        made[name] = METRICS.make(plain, {key: value for key, value in filled.items() if key in fields})
    return made


def make_task(
    examples: Sequence[Example], labels: Sequence[str], names: Sequence[str] = (), multi_label: bool = False
) -> Task:
    """A task over the examples; without names every metric that is defined is measured.

    Raises UserError when there are no rows, when a row carries a label that is not one of the labels, or not exactly
    one label where one must hold.
    """
    if not examples:
        raise UserError("there are no rows to measure", "give a file with at least one row: data=PATH")
    allowed = set(labels)
    for number, example in enumerate(examples, start=1):
        where = f"row {example.meta.get('id', number)}"
        strange = [answer for answer in example.answers if answer not in allowed]
        if strange:
            hint = nearest(strange[0], labels)
            raise UserError(f"{where} carries the label '{strange[0]}', which the scope does not know", hint)
        if not multi_label and len(example.answers) != 1:
            problem = f"{where} carries {len(example.answers)} labels, and one must hold"
            raise UserError(problem, "say scope.multi_label=true, or give each row one label")
    made = make_metrics(names or known_names(labels, multi_label), labels, multi_label)
    return Task(tuple(examples), tuple(labels), made, multi_label)
