"""What lies behind the figures: confusion matrix, reliability curve, best and worst samples, labels mixed up."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dragoman.core.doors import Row
from dragoman.evals.interval import wilson
from dragoman.evals.prediction import Prediction
from dragoman.metrics.ece import Ece

__all__ = ["Bin", "Confused", "Sample", "confused_pairs", "confusion", "ranked", "reliability", "samples"]


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin of the reliability curve: what was claimed, what was right with its interval, how many."""

    confidence: float
    right: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One row worth a look."""

    id: str
    text: str
    references: tuple[str, ...]
    labels: tuple[str, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class Confused:
    """Two labels that are mixed up: how often `true` was taken for `taken`, of how many rows, and the surest cases."""

    true: str
    taken: str
    count: int
    rows: int
    examples: tuple[Sample, ...]

    @property
    def share(self) -> float:
        """The share of the rows of `true`."""
        return self.count / self.rows if self.rows else 0.0


def confusion(predictions: Sequence[Prediction], labels: Sequence[str], multi_label: bool = False) -> NDArray[np.int64]:
    """Counts of shape [true labels, predicted labels + 1]; the last column is an answer that is none of the labels.

    Where several labels may hold: one line a label, of shape [labels, 4]: both, predicted only, true only, neither.
    """
    place = {label: number for number, label in enumerate(labels)}
    if not multi_label:
        size = len(labels)
        true = np.array([place[prediction.references[0]] for prediction in predictions], dtype=np.int64)
        guess = [place.get(prediction.labels[0], size) if prediction.labels else size for prediction in predictions]
        counts = np.bincount(true * (size + 1) + np.array(guess, dtype=np.int64), minlength=size * (size + 1))
        return counts.reshape(size, size + 1).astype(np.int64)
    table = np.zeros((len(labels), 4), dtype=np.int64)
    for prediction in predictions:
        for label, number in place.items():
            predicted, held = label in prediction.labels, label in prediction.references
            table[number, (0 if predicted else 2) if held else (1 if predicted else 3)] += 1
    return table


def reliability(rows: Row, metric: Ece) -> tuple[Bin, ...]:
    """The reliability curve behind the calibration error, from that metric's rows."""
    bins = []
    for confidence, right, n in metric.curve(rows):
        low, high = wilson(right, n)
        bins.append(Bin(confidence, right, low, high, n))
    return tuple(bins)


def _sample(prediction: Prediction) -> Sample:
    return Sample(prediction.id, prediction.text, prediction.references, prediction.labels, prediction.confidence)


def samples(predictions: Sequence[Prediction], count: int = 5) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """The most confidently right rows, and the most confidently wrong ones; equally sure rows in their own order."""
    ordered = sorted(predictions, key=lambda prediction: -prediction.confidence)
    best = [_sample(prediction) for prediction in ordered if prediction.right]
    worst = [_sample(prediction) for prediction in ordered if not prediction.right]
    return tuple(best[:count]), tuple(worst[:count])


def confused_pairs(predictions: Sequence[Prediction], count: int = 5, examples: int = 3) -> tuple[Confused, ...]:
    """The pairs of labels most often mixed up, with their surest cases; a missed label and a false one make a pair."""
    found: defaultdict[tuple[str, str], list[Prediction]] = defaultdict(list)
    totals: defaultdict[str, int] = defaultdict(int)
    for prediction in predictions:
        for true in prediction.references:
            totals[true] += 1
        missed = [label for label in prediction.references if label not in prediction.labels]
        false = [label for label in prediction.labels if label not in prediction.references]
        for true in missed:
            for taken in false:
                found[true, taken].append(prediction)
    ranked = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))[:count]
    return tuple(
        Confused(true, taken, len(rows), totals[true], samples(rows, examples)[1]) for (true, taken), rows in ranked
    )


def ranked(
    predictions: Sequence[Prediction], scores: Sequence[float], count: int = 5
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """The answers with the highest and with the lowest score, of texts that are neither right nor wrong; the score
    stands where else the confidence does."""
    order = sorted(range(len(scores)), key=lambda place: (-scores[place], place))

    def sample(place: int) -> Sample:
        one = predictions[place]
        return Sample(one.id, one.text, one.references, one.labels, scores[place])

    half = min(count, len(order) // 2 or len(order))
    return tuple(map(sample, order[:half])), tuple(map(sample, reversed(order[len(order) - half :])))
