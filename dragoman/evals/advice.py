"""What would help when no rung meets the target: more rows, cleaner labels, or labels that are told apart better."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dragoman.core.targets import Criterion
from dragoman.core.types import Estimate
from dragoman.evals.details import Confused
from dragoman.evals.interval import Z, wilson
from dragoman.evals.prediction import Prediction

__all__ = ["Curve", "Doubt", "Noise", "advise", "learning_curve", "suspected_noise"]

FEASIBLE = 1e9  # rows: a curve that is nearly flat asks for more than anybody has
DRAWS = 4000


@dataclass(frozen=True)
class Curve:
    """A learning curve: error = floor + scale * rows ** -rate, as the many curves that fit the points about as well."""

    points: tuple[tuple[int, Estimate], ...]
    higher_is_better: bool
    floor: NDArray[np.float64]
    scale: NDArray[np.float64]
    rate: NDArray[np.float64]

    def at(self, rows: int) -> Estimate:
        """The score to expect at so many rows, with the 95 % range of the curves that fit."""
        error = self.floor + self.scale * float(rows) ** -self.rate
        score = 1.0 - error if self.higher_is_better else error
        low, middle, high = np.quantile(score, [0.025, 0.5, 0.975])
        return Estimate(float(middle), float(low), float(high), rows)

    def rows_for(self, bound: float) -> tuple[float, float, float]:
        """How many rows reach a score: the fewest, the likeliest and the most; infinite where a curve never does."""
        allowed = 1.0 - bound if self.higher_is_better else bound
        room = allowed - self.floor
        with np.errstate(over="ignore"):
            needed = np.where(room > 0, (self.scale / np.where(room > 0, room, 1.0)) ** (1.0 / self.rate), np.inf)
        ordered = np.sort(needed)  # quantiles by rank: infinities must not be averaged
        low, middle, high = (float(ordered[int(share * (len(ordered) - 1))]) for share in (0.025, 0.5, 0.975))
        return low, middle, high


@dataclass(frozen=True, slots=True)
class Doubt:
    """A row whose label a model confidently disputes."""

    id: str
    text: str
    given: str
    suggested: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Noise:
    """How many labels are suspected, as a share with its interval, and the rows to look at first."""

    share: Estimate
    doubts: tuple[Doubt, ...]


def learning_curve(points: Sequence[tuple[int, Estimate]], higher_is_better: bool = True, seed: int = 0) -> Curve:
    """Fit a power law to (rows, score) points (Hestness, 2017, 1712.00409); the error is 1 - score or the score.

    Every pair of floor and rate on a grid is weighed by how well it fits the points within their intervals, and curves
    are drawn by that weight. So few points give a wide range, as they should. Raises ValueError below two sizes.
    """
    if len({rows for rows, _ in points}) < 2:
        raise ValueError("a learning curve needs at least two sizes")
    rows = np.array([float(rows) for rows, _ in points])
    value = np.array([estimate.value for _, estimate in points])
    error = 1.0 - value if higher_is_better else value
    noise = np.array([max((estimate.high - estimate.low) / (2 * Z), 1e-4) for _, estimate in points])
    floors = np.linspace(0.0, max(float(error.min() + noise.min()), 1e-3), 60)
    rates = np.geomspace(0.03, 1.5, 60)  # what is seen in practice lies between 0.07 and 0.5; 1 is the parametric rate
    floor, rate = (grid.ravel() for grid in np.meshgrid(floors, rates))
    shape = rows[None] ** -rate[:, None] / noise
    target = (error[None] - floor[:, None]) / noise
    power = (shape**2).sum(axis=1)
    scale = np.maximum((shape * target).sum(axis=1) / power, 0.0)
    misfit = ((target - scale[:, None] * shape) ** 2).sum(axis=1)
    weight = np.exp(-(misfit - misfit.min()) / 2)
    random = np.random.default_rng(seed)
    picked = random.choice(len(weight), DRAWS, p=weight / weight.sum())
    drawn = np.maximum(scale[picked] + random.normal(size=DRAWS) / np.sqrt(power[picked]), 1e-9)
    return Curve(tuple(points), higher_is_better, floor[picked], drawn, rate[picked])


def suspected_noise(predictions: Sequence[Prediction], labels: Sequence[str], count: int = 20) -> Noise:
    """Rows whose label a model confidently disputes (confident learning: Northcutt, 2021, 1911.00068).

    The predictions must be on rows the model was not trained on. A row is suspected when another label is more probable
    than that label usually is on its own rows, and its given label is not the likeliest of those that are. Rows with
    several labels are left out.
    """
    rows = [row for row in predictions if len(row.references) == 1 and row.answer.scores]
    if not rows:
        return Noise(Estimate(0.0, 0.0, 1.0, 0), ())
    place = {label: number for number, label in enumerate(labels)}
    given = np.array([place[row.references[0]] for row in rows])
    chance = np.array([[row.answer.scores.get(label, 0.0) for label in labels] for row in rows])
    counts = np.bincount(given, minlength=len(labels))
    own = np.bincount(given, weights=chance[np.arange(len(rows)), given], minlength=len(labels))
    usual = np.where(counts > 0, own / np.maximum(counts, 1), np.inf)
    sure = np.where(chance >= usual[None], chance, -1.0)
    likeliest = sure.argmax(axis=1)
    suspected = np.flatnonzero((sure.max(axis=1) >= 0) & (likeliest != given))
    margin = chance[suspected, likeliest[suspected]] - chance[suspected, given[suspected]]
    ranked = suspected[np.argsort(-margin, kind="stable")][:count]
    doubts = tuple(
        Doubt(
            rows[row].id,
            rows[row].text,
            labels[given[row]],
            labels[likeliest[row]],
            float(chance[row, likeliest[row]]),
        )
        for row in ranked
    )
    share = len(suspected) / len(rows)
    return Noise(Estimate(share, *wilson(share, len(rows)), len(rows)), doubts)


def advise(
    criterion: Criterion, curve: Curve | None, noise: Noise | None, confused: Sequence[Confused]
) -> tuple[str, ...]:
    """What would help, in sentences, the surest first; each says what it rests on."""
    said: list[str] = []
    if curve is not None:
        said.append(_about_rows(criterion, curve))
    if noise is not None and noise.doubts:
        share = noise.share
        said.append(
            f"{share.value:.1%} [{share.low:.1%}, {share.high:.1%}] of {share.n:,} labels are disputed by the model "
            f"itself; look at the {len(noise.doubts)} listed first, such as '{noise.doubts[0].given}' that reads like "
            f"'{noise.doubts[0].suggested}'"
        )
    if confused:
        worst = confused[0]
        said.append(
            f"'{worst.true}' is taken for '{worst.taken}' in {worst.count} of {worst.rows} rows: "
            "describe the two apart, merge them, or label more rows of both"
        )
    return tuple(said)


def _about_rows(criterion: Criterion, curve: Curve) -> str:
    low, middle, high = curve.rows_for(criterion.bound)
    now = max(rows for rows, _ in curve.points)
    twice = curve.at(2 * now)
    ahead = f"{criterion.metric} at {2 * now:,} rows: about {twice.value:.3f} [{twice.low:.3f}, {twice.high:.3f}]"
    if middle <= now:
        return (
            f"{now:,} rows are likely enough for {criterion.metric} {criterion.asked}, but too few were measured to "
            f"prove it: more rows for the test part, by data.test or data.split; {ahead}"
        )
    if low > FEASIBLE:
        return f"more rows alone do not reach {criterion.metric} {criterion.asked} on any curve that fits; {ahead}"
    most = "on some curves that fit, never" if high > FEASIBLE else f"{high:,.0f} at the most"
    middle_said = "more than could be had" if middle > FEASIBLE else f"about {middle:,.0f} rows"
    reached = f"to reach {criterion.metric} {criterion.asked} ({low:,.0f} at the least; {most})"
    return f"more rows: {middle_said} {reached}; {ahead}"
