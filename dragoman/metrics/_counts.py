"""Counting what metrics share: which labels were predicted, and per-label hits, false alarms and misses."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dragoman.core.doors import Row
from dragoman.core.errors import UserError
from dragoman.core.types import Answer

__all__ = ["check_rows", "chosen", "f1_of", "hits_and_misses", "position", "probabilities"]


def chosen(answer: Answer, labels: Sequence[str]) -> tuple[str, ...]:
    """The labels an answer stands for: those it chose, or its text where that is a label, or none."""
    if answer.labels:
        return answer.labels
    text = answer.text.strip()
    return (text,) if text in labels else ()


def position(label: str, labels: Sequence[str]) -> int:
    """Where a true label stands among the labels. Raises UserError when it is not among them."""
    if not labels:
        raise ValueError("the metric was measured before its labels were filled in")
    try:
        return labels.index(label)
    except ValueError:
        known = ", ".join(labels)
        raise UserError(
            f"the label '{label}' is not among the labels of the task",
            f"add it to scope.labels or mend the rows that carry it; known: {known}",
        ) from None


def hits_and_misses(answer: Answer, references: Sequence[str], labels: Sequence[str]) -> Row:
    """Per label: predicted and true, predicted only, true only; of shape [3 * labels].

    A prediction outside the labels is nobody's false alarm, only a miss of the true label (scikit-learn's `labels=`).
    """
    true = np.zeros(len(labels))
    for reference in references:
        true[position(reference, labels)] = 1.0
    predicted = np.zeros(len(labels))
    for label in chosen(answer, labels):
        if label in labels:
            predicted[labels.index(label)] = 1.0
    return np.concatenate([predicted * true, predicted * (1.0 - true), (1.0 - predicted) * true])


def f1_of(hits: Row, alarms: Row, misses: Row) -> Row:
    """F1 from counts of any shape; 0 where a label was neither predicted nor true."""
    weight = 2.0 * hits + alarms + misses
    figure: NDArray[np.float64] = np.divide(2.0 * hits, weight, out=np.zeros_like(weight), where=weight > 0)
    return figure


def probabilities(answer: Answer, labels: Sequence[str], metric: str) -> Row:
    """The probability the answer gives each label, of shape [labels]. Raises UserError when it gives none."""
    if not answer.scores:
        raise UserError(
            f"{metric} needs the probability of each label, and an answer carries none",
            "use accuracy or macro_f1 in scope.target for an assistant that only writes text",
        )
    return np.array([answer.scores.get(label, 0.0) for label in labels], dtype=np.float64)


def check_rows(rows: Row) -> None:
    """Raise ValueError unless there is at least one row."""
    if rows.ndim != 2 or len(rows) == 0:
        raise ValueError(f"a metric combines rows of shape [answers, width] with at least one answer, not {rows.shape}")
