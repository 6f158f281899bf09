"""How far the stated confidence is from the share that is right: expected calibration error."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dragoman.core.doors import Row
from dragoman.core.types import Answer, Estimate
from dragoman.metrics._counts import check_rows, chosen, probabilities

__all__ = ["Ece"]


@dataclass(frozen=True)
class Ece:
    """Expected calibration error over bins that hold equally many rows (Naeini, 2015; bins of HELM, Liang 2022).

    With one label a row: the confidence of the chosen label against being right. With several: the probability of each
    label against its holding. Rows of equal confidence share their mean outcome, so the order of rows never matters.
    The figure is biased upwards at small n even for a perfect model: read it beside `null`.
    """

    higher_is_better: ClassVar[bool] = False
    kinds: ClassVar[tuple[str, ...]] = ("classify",)

    labels: tuple[str, ...] = ()
    "The labels of the task; filled in by it."

    multi_label: bool = False
    "Whether several labels may hold at once; filled in by the task."

    bins: int = 10
    "How many bins of equal mass the rows are sorted into."

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """Confidences, then outcomes; of shape [2], or [2 * labels] where several labels may hold at once."""
        given = probabilities(answer, self.labels, "ece")
        if self.multi_label:
            return np.concatenate([given, [float(label in references) for label in self.labels]])
        predicted = chosen(answer, self.labels)
        confidence = answer.scores.get(predicted[0], 0.0) if predicted else float(given.max())
        return np.array([confidence, float(set(predicted) == set(references))])

    def pairs(self, rows: Row) -> tuple[Row, Row]:
        """Sorted confidences and their outcomes, of shape [pairs] each; equal confidences share their mean outcome."""
        half = rows.shape[1] // 2
        confidence, outcome = rows[:, :half].ravel(), rows[:, half:].ravel()
        order = np.argsort(confidence, kind="stable")
        confidence, outcome = confidence[order], outcome[order]
        ends = _last_of_equals(confidence)
        if len(ends) < len(confidence):
            starts = np.append(0, ends[:-1] + 1)
            sizes = ends + 1 - starts
            outcome = np.repeat(np.add.reduceat(outcome, starts) / sizes, sizes)
        return confidence, outcome

    def edges(self, count: int) -> NDArray[np.intp]:
        """Where each bin begins among `count` sorted pairs; sizes differ by one at the most, none is empty."""
        return np.unique(np.arange(self.bins) * count // self.bins)

    def curve(self, rows: Row) -> Iterator[tuple[float, float, int]]:
        """For each bin: mean confidence, share right, number of pairs."""
        confidence, outcome = self.pairs(rows)
        starts = self.edges(len(confidence))
        for start, end in zip(starts, np.append(starts[1:], len(confidence)), strict=True):
            yield float(confidence[start:end].mean()), float(outcome[start:end].mean()), int(end - start)

    def combine(self, rows: Row) -> float:
        """The mean over pairs of |confidence - share right| of their bin, from rows of shape [answers, width]."""
        check_rows(rows)
        return float(self.of_counts(rows, np.ones((1, len(rows))))[0])

    def of_counts(self, rows: Row, counts: Row) -> Row:
        """The figure of each draw, of shape [draws], from how often it drew each row, of shape [draws, answers].

        Sorted by confidence, the sum of the gaps up to a place is a line within equal confidences, so a bin's sum is
        the difference of two readings of it: rows are sorted once, not once a draw.
        """
        half = rows.shape[1] // 2
        confidence, outcome = rows[:, :half].ravel(), rows[:, half:].ravel()
        order = np.argsort(confidence, kind="stable")
        gap, row = (confidence - outcome)[order], order // half
        ends = np.append(0, _last_of_equals(confidence[order]) + 1)
        figures = np.empty(len(counts))
        for number, count in enumerate(counts):
            times = count[row]
            reached = np.append(0.0, np.cumsum(times))[ends]
            summed = np.append(0.0, np.cumsum(times * gap))[ends]
            total = round(reached[-1])
            bounds = np.append(self.edges(total), total)
            figures[number] = np.abs(np.diff(np.interp(bounds, reached, summed))).sum() / total
        return figures

    def null(self, rows: Row, draws: int = 1000, seed: int = 0) -> Estimate:
        """The figure a perfectly calibrated model of the same confidences would show: its mean and 95 % range.

        Outcomes are drawn with the stated probabilities. For uniform ones it is 0.10 at 100 rows, 0.03 at 1,000.
        """
        check_rows(rows)
        confidence, _ = self.pairs(rows)
        random = np.random.default_rng(seed)
        starts = self.edges(len(confidence))
        figures = np.empty(draws)
        for draw in range(draws):
            gap = confidence - (random.random(len(confidence)) < confidence)
            figures[draw] = np.abs(np.add.reduceat(gap, starts)).sum() / len(confidence)
        low, high = np.quantile(figures, [0.025, 0.975])
        return Estimate(float(figures.mean()), float(low), float(high), len(rows))


def _last_of_equals(ordered: Row) -> NDArray[np.intp]:
    """The last place of each run of equal values."""
    return np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
