"""Makes metric rows and reports for tests out of little text."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dragoman.core.types import Answer
from dragoman.evals.prediction import Prediction
from dragoman.evals.run import Report, from_rows
from dragoman.evals.task import Task, make_metrics

LABELS = ("a", "b", "c")


def macro_rows(true: NDArray[np.intp], guess: NDArray[np.intp], size: int) -> NDArray[np.float64]:
    """Rows of macro F1 from the places of true and predicted labels."""
    one = np.eye(size)
    hits = one[true] * one[guess]
    return np.concatenate([hits, one[guess] - hits, one[true] - hits], axis=1)


def mixture(prior: Sequence[float], right: Sequence[float]) -> NDArray[np.float64]:
    """The share of each (true, predicted) pair when a label is right so often and mistaken for the others alike."""
    size = len(prior)
    table = np.array([[(1 - share) / (size - 1)] * size for share in right])
    np.fill_diagonal(table, right)
    return table * np.array(prior)[:, None]


def predictions(pairs: str, sure: float = 0.8) -> list[Prediction]:
    """Predictions of pairs such as `aa ab`: the true label, then the predicted one with the chance `sure`."""
    made = []
    for number, pair in enumerate(pairs.split(), start=1):
        scores = {label: sure if label == pair[1] else (1 - sure) / 2 for label in LABELS}
        answer = Answer(pair[1], (pair[1],), scores)
        made.append(Prediction(str(number), f"text {number}", (pair[0],), answer))
    return made


def report(pairs: str, names: Sequence[str] = ("accuracy", "macro_f1"), sure: float = 0.8) -> Report:
    """The report of such predictions."""
    task = Task((), LABELS, make_metrics(names, LABELS))
    return from_rows([row.to_row() for row in predictions(pairs, sure)], task, resamples=400)
