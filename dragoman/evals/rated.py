"""What judges make of an assistant's answers: how good each is, and how often it is better than the answer of the data.

A judge is any `Reward`. Its two figures stand beside the metrics, so that targets, limits and comparisons can name
them: `NAME`, the mean of its scores, and `NAME_wins`, the share of rows in which the answer is scored above the row's
own, a tie counting half.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dragoman.core.doors import Metric, Row
from dragoman.core.project import WINS
from dragoman.core.types import Answer, Estimate
from dragoman.evals.interval import estimate, estimates
from dragoman.evals.run import Report
from dragoman.metrics.accuracy import Accuracy

__all__ = ["Rates", "Score", "share_won", "with_rates"]

SHARE = Accuracy()  # a share of rows, whose interval stays between 0 and 1
Rates = Mapping[str, Sequence[Sequence[float]]]
"of each judge, for every row: the score of the answer and that of the row's own answer"


@dataclass(frozen=True)
class Score:
    """The mean of a judge's scores, in its own units."""

    higher_is_better: ClassVar[bool] = True

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """Raises ValueError: a judge reads prompts too, so its rows are brought along."""
        raise ValueError("what a judge says is not read from answers alone")

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 1] over `count` rows each."""
        return sums[:, 0] / count

    def combine(self, rows: Row) -> float:
        """The mean of rows of shape [answers, 1]."""
        return float(rows.mean())


def with_rates(report: Report, rates: Rates, seed: int = 0) -> Report:
    """The report with the figures of the judges beside its own."""
    metrics: dict[str, Metric] = {}
    measured: dict[str, Row] = {}
    for judge, rows in rates.items():
        found = np.array(rows, dtype=np.float64)  # [answers, 2]
        metrics |= {judge: Score(), f"{judge}{WINS}": SHARE}
        measured |= {judge: found[:, :1], f"{judge}{WINS}": _won(found[:, 0], found[:, 1])}
    if not metrics:
        return report
    more = estimates(metrics, measured, report.groups, seed=seed)
    return replace(
        report,
        task=replace(report.task, metrics={**report.task.metrics, **metrics}),
        measured={**report.measured, **measured},
        estimates={**report.estimates, **more},
    )


def share_won(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], groups: Sequence[str] = (), seed: int = 0
) -> Estimate:
    """How often ours is scored above theirs, of shape [n] each, a tie counting half, with its 95 % interval."""
    return estimate(SHARE, _won(ours, theirs), groups, seed=seed)


def _won(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> Row:
    """1 where ours is higher, 0.5 at a tie, else 0; of shape [n, 1]."""
    row: Row = ((ours > theirs) + 0.5 * (ours == theirs))[:, None]
    return row
