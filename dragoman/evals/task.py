"""What is measured: rows with their true answers, the labels, and the metrics by name."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dragoman.core.config import nearest
from dragoman.core.doors import Metric
from dragoman.core.errors import UserError
from dragoman.core.project import LEADING, WINS, Scope
from dragoman.core.registry import Registry
from dragoman.core.types import Example
from dragoman.metrics._tags import in_scheme
from dragoman.metrics._text import warning

__all__ = [
    "LIMITS",
    "METRICS",
    "Task",
    "asked",
    "check_names",
    "known_names",
    "leading",
    "led_by",
    "make_metrics",
    "make_task",
    "rouge_blind",
]

METRICS = Registry("dragoman.metrics", "metric")
UNASKED = ("citation_precision", "groundedness", "refusal", "refusal_precision", "refusal_recall", "valid_json")
"metrics that are measured only where they are asked for: not every answer is meant to be what they read"
UNTOLD = frozenset(("nats", "bytes"))
"what a metric may need that no answer of an assistant carries: those figures are of texts, and measured by pretrain"
LIMITS = ("forgetting", "memory_mb", "p50_ms", "p95_ms", "size_mb")


@dataclass(frozen=True)
class Task:
    """Rows to answer, and what to measure about the answers. `kind` is what a scope calls its task."""

    examples: tuple[Example, ...]
    labels: tuple[str, ...]
    metrics: Mapping[str, Metric]
    multi_label: bool = False
    kind: str = "classify"
    led: str = ""
    "The metric that leads on these rows; empty takes the kind's own."


def leading(task: Task) -> str:
    """The metric by which answers of a task are ranked: the rows' or the kind's own, else the first measured."""
    wanted = task.led or LEADING[task.kind]
    return wanted if wanted in task.metrics else next(iter(task.metrics))


def led_by(kind: str, examples: Sequence[Example]) -> str:
    """The metric that leads a task of this kind on these rows.

    Where the kind's own sees nothing another takes its place: chrf where ROUGE does not know the letters, and
    token_accuracy where the tags, such as parts of speech, are no ends of entities.
    """
    if kind == "tag":
        tags = {tag for example in examples for tag in example.answers} - {"O"}
        return LEADING[kind] if not tags or any(map(in_scheme, tags)) else "token_accuracy"
    usual = LEADING[kind]
    return "chrf" if usual.startswith("rouge") and rouge_blind(examples) else usual


def rouge_blind(examples: Sequence[Example]) -> str:
    """Why ROUGE says nothing of these rows, from their references; empty where it does."""
    return warning([answer for example in examples for answer in example.answers])


def asked(scope: Scope) -> list[str]:
    """The figures that a target or limit names and that are read from answers: no limits of a rung, no judge's.

    Raises UserError where a judge has the name of another figure.
    """
    for judge in scope.judges:
        if judge in (*METRICS.names(), *LIMITS) or judge.endswith(WINS) or not judge.isidentifier():
            hint = "choose another word of letters, such as scope.judges.helpful=RUN"
            raise UserError(f"a judge cannot be called '{judge}': that is another figure, or no name", hint)
    judged = {name for judge in scope.judges for name in (judge, f"{judge}{WINS}")}
    return [one.metric for one in scope.criteria() if one.metric not in {*LIMITS, *judged}]


def known_names(labels: Sequence[str], multi_label: bool = False, kind: str = "classify") -> tuple[str, ...]:
    """Every metric a task of this kind can be measured by; `f1:LABEL` is the F1 of one label."""
    suited = [name for name in METRICS.names() if kind in _kinds(name) and name != "f1" and not _untold(name)]
    if kind != "classify":
        return tuple(suited)
    plain = [name for name in suited if not (multi_label and name == "mcc")]
    return (*plain, *(f"f1:{label}" for label in labels))


def _kinds(name: str) -> tuple[str, ...]:
    """The tasks a metric suits; one from another package that does not say suits classification."""
    return tuple(getattr(METRICS.kind(name), "kinds", ("classify",)))


def _untold(name: str) -> bool:
    return not UNTOLD.isdisjoint(getattr(METRICS.kind(name), "needs", ()))


def check_names(names: Sequence[str], labels: Sequence[str], multi_label: bool = False, kind: str = "classify") -> None:
    """Raise UserError at the first name that is neither a metric of the task nor a limit such as p95_ms.

    Call it before any work: a target on an unknown metric must not cost a training run.
    """
    known = (*known_names(labels, multi_label, kind), *LIMITS)
    for name in names:
        if name == "mcc" and multi_label:
            raise UserError("mcc is not defined where several labels hold at once", "use macro_f1 in scope.target")
        if name not in known:
            said = "" if kind == "classify" else f" for the task {kind}"
            raise UserError(f"there is no metric or limit named '{name}'{said}", nearest(name, known))


def make_metrics(
    names: Sequence[str], labels: Sequence[str], multi_label: bool = False, kind: str = "classify"
) -> dict[str, Metric]:
    """The metrics of the given names with the labels of the task filled in. Raises UserError for an unknown name."""
    made: dict[str, Metric] = {}
    for name in names:
        check_names([name], labels, multi_label, kind)
        if name in LIMITS:
            raise UserError(f"{name} is a limit, not a metric", nearest(name, known_names(labels, multi_label, kind)))
        plain, _, label = name.partition(":")
        filled: dict[str, Any] = {"labels": tuple(labels), "multi_label": multi_label, "label": label}
        fields = {field.name for field in dataclasses.fields(METRICS.kind(plain))}
        made[name] = METRICS.make(plain, {key: value for key, value in filled.items() if key in fields})
    return made


def make_task(
    examples: Sequence[Example],
    labels: Sequence[str],
    names: Sequence[str] = (),
    multi_label: bool = False,
    kind: str = "classify",
) -> Task:
    """A task over the examples; without names every metric that is defined is measured. Of a kind other than classify
    the usual ones are measured, and those named besides.

    Raises UserError when there are no rows, when a row carries a label that is not one of the labels, or not exactly
    one label where one must hold.
    """
    if not examples:
        raise UserError("there are no rows to measure", "give a file with at least one row: data=PATH")
    if kind != "classify":
        usual = [name for name in known_names(labels, False, kind) if name not in UNASKED]
        made = make_metrics([*usual, *(name for name in names if name not in usual)], labels, False, kind)
        return Task(tuple(examples), tuple(labels), made, False, kind, led_by(kind, examples))
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
