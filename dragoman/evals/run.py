"""Runs an assistant over a task and measures it: every figure with its interval, every answer kept."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dragoman.app.assistant import Assistant
from dragoman.core.doors import Metric, Prompt, Row
from dragoman.core.types import Answer, Estimate
from dragoman.evals.details import Confused, Sample, confused_pairs, confusion, ranked, reliability, samples
from dragoman.evals.interval import at_quantile, estimates
from dragoman.evals.latency import REQUESTS, measure_latency
from dragoman.evals.prediction import Prediction
from dragoman.evals.task import Task, leading
from dragoman.metrics.bleu import Bleu
from dragoman.metrics.chrf import Chrf
from dragoman.metrics.ece import Ece
from dragoman.metrics.f1 import F1
from dragoman.metrics.macro_f1 import MacroF1

__all__ = ["Report", "evaluate", "from_rows"]


@dataclass(frozen=True)
class Report:
    """What an assistant did on a task."""

    task: Task
    "The task as it was measured; its examples are empty when the report was read back from rows."

    predictions: tuple[Prediction, ...]
    "Every row with its answer, in the order of the task."

    measured: Mapping[str, Row]
    "The rows of each metric, of shape [answers, width of the metric]: what intervals and comparisons are drawn from."

    estimates: Mapping[str, Estimate]
    "Every metric, and p50_ms and p95_ms where requests were timed."

    ece_null: Estimate | None
    "The calibration error a perfectly calibrated model would show on these rows; read ece beside it."

    latencies: tuple[float, ...] = ()
    "Milliseconds of each timed request at batch 1."

    seconds: float = 0.0
    "How long all rows took in batches."

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The answers alone."""
        return tuple(prediction.answer for prediction in self.predictions)

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of each row; an empty one stands alone."""
        return tuple(prediction.group for prediction in self.predictions)

    @property
    def best(self) -> tuple[Sample, ...]:
        """The five most confidently right rows; of texts, those with the highest figure."""
        return self._samples()[0]

    @property
    def worst(self) -> tuple[Sample, ...]:
        """The five most confidently wrong rows; of texts, those with the lowest figure."""
        return self._samples()[1]

    def scores(self, name: str) -> list[float]:
        """The figure of each row alone by one metric, higher is better."""
        metric, rows = self.task.metrics[name], self.measured[name]
        sign = 1.0 if metric.higher_is_better else -1.0
        return [sign * metric.combine(row[None]) for row in rows]

    def _samples(self) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
        if self.task.kind == "classify":
            return samples(self.predictions)
        return ranked(self.predictions, self.scores(leading(self.task)))

    @property
    def confused(self) -> tuple[Confused, ...]:
        """The pairs of labels most often mixed up."""
        return confused_pairs(self.predictions)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the figures must know: labels with no row at all, or too few to say much."""
        counts = dict.fromkeys(self.task.labels, 0)
        for prediction in self.predictions:
            for label in prediction.references:
                counts[label] += 1
        absent = [label for label, count in counts.items() if count == 0]
        rare = [label for label, count in counts.items() if 0 < count < 10]
        said = []
        if absent:
            said.append(f"no row carries {', '.join(absent)}: their F1 counts as 0 in macro_f1")
        if rare:
            said.append(f"fewer than 10 rows carry {', '.join(rare)}: their F1 says little")
        return tuple(said)

    @property
    def signatures(self) -> dict[str, str]:
        """How each figure was made whose makers ask that it be told beside it: those of BLEU and chrF."""
        references = [prediction.references for prediction in self.predictions]
        metrics = self.task.metrics.items()
        return {name: metric.signature(references) for name, metric in metrics if isinstance(metric, Bleu | Chrf)}

    def rows(self) -> list[dict[str, Any]]:
        """Every prediction as JSON types, one line of predictions.jsonl each."""
        return [prediction.to_row() for prediction in self.predictions]

    def summary(self) -> dict[str, Any]:
        """All but the single answers as JSON types, for the record of a run."""
        task = self.task
        if task.kind != "classify":
            return {
                "n": len(self.predictions),
                "kind": task.kind,
                "signatures": self.signatures,
                "estimates": {name: asdict(value) for name, value in self.estimates.items()},
                "best": [asdict(sample) for sample in self.best],
                "worst": [asdict(sample) for sample in self.worst],
                "seconds": self.seconds,
            }
        curve = [
            [asdict(point) for point in reliability(self.measured[name], metric)]
            for name, metric in task.metrics.items()
            if isinstance(metric, Ece) and name in self.measured
        ]
        return {
            "n": len(self.predictions),
            "labels": list(task.labels),
            "multi_label": task.multi_label,
            "estimates": {name: asdict(value) for name, value in self.estimates.items()},
            "ece_null": asdict(self.ece_null) if self.ece_null else None,
            "confusion": confusion(self.predictions, task.labels, task.multi_label).tolist(),
            "reliability": curve[0] if curve else [],
            "best": [asdict(sample) for sample in self.best],
            "worst": [asdict(sample) for sample in self.worst],
            "confused": [{**asdict(pair), "share": pair.share} for pair in self.confused],
            "notes": list(self.notes),
            "seconds": self.seconds,
        }


def evaluate(
    assistant: Assistant,
    task: Task,
    *,
    batch: int = 64,
    resamples: int = 2000,
    seed: int = 0,
    requests: int = REQUESTS,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Answer every row in batches, measure every metric, and time single requests on up to `requests` rows (0: none).

    `progress` is told how many rows are done. Raises UserError when a metric needs what the answers do not carry.
    """
    questions: Sequence[str | Prompt] = [
        example.text if task.kind == "classify" else example.prompt for example in task.examples
    ]
    begun = time.perf_counter()
    answers: list[Answer] = []
    for start in range(0, len(questions), batch):
        answers.extend(turn.answer for turn in assistant.answer(questions[start : start + batch]))
        if progress is not None:
            progress(len(answers))
    seconds = time.perf_counter() - begun
    predictions = tuple(
        Prediction.of(number, example, answer, task.kind)
        for number, (example, answer) in enumerate(zip(task.examples, answers, strict=True), start=1)
    )
    spent = measure_latency(assistant, questions, requests=requests, seed=seed) if requests else ()
    return _report(task, predictions, spent, seconds, resamples, seed)


def from_rows(
    rows: Iterable[Mapping[str, Any]],
    task: Task,
    *,
    latencies: tuple[float, ...] = (),
    resamples: int = 2000,
    seed: int = 0,
) -> Report:
    """The report of predictions read back from predictions.jsonl; of the task only labels and metrics are used."""
    found = tuple(Prediction.from_row(row, task.kind) for row in rows)
    return _report(task, found, latencies, 0.0, resamples, seed)


def _report(
    task: Task,
    predictions: tuple[Prediction, ...],
    latencies: tuple[float, ...],
    seconds: float,
    resamples: int,
    seed: int,
) -> Report:
    groups = tuple(prediction.group for prediction in predictions)
    measured = _measured(task, predictions)
    found = estimates(task.metrics, measured, groups, resamples=resamples, seed=seed)
    if latencies:
        found["p50_ms"] = at_quantile(latencies, 0.50)
        found["p95_ms"] = at_quantile(latencies, 0.95)
    nulls = [metric.null(measured[name], seed=seed) for name, metric in task.metrics.items() if isinstance(metric, Ece)]
    return Report(task, predictions, measured, found, nulls[0] if nulls else None, latencies, seconds)


def _measured(task: Task, predictions: tuple[Prediction, ...]) -> dict[str, Row]:
    """Each metric's rows, of shape [predictions, width]."""
    found: dict[str, Row] = {}
    for name, metric in task.metrics.items():
        if isinstance(metric, F1) and task.metrics.get("macro_f1") == MacroF1(metric.labels):
            # macro_f1 has counted every label already: with 150 labels this saves 150 passes over the answers.
            size = len(metric.labels)
            place = metric.labels.index(metric.label)
            counted = found.get("macro_f1")
            counted = _rows(task.metrics["macro_f1"], predictions) if counted is None else counted
            found["macro_f1"] = counted
            found[name] = counted[:, [place, size + place, 2 * size + place]]
        elif name not in found:
            found[name] = _rows(metric, predictions)
    return {name: found[name] for name in task.metrics}


def _rows(metric: Metric, predictions: tuple[Prediction, ...]) -> Row:
    return np.stack([metric.measure(prediction.answer, prediction.references) for prediction in predictions])
