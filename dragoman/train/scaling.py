"""Fit a scaling law to training runs: the loss as a function of parameters and tokens, and how sure it is."""

import csv
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dragoman.core.chinchilla import Law
from dragoman.core.errors import UserError

__all__ = ["HUBER", "Fit", "Trial", "fit_law", "read_trials", "resample"]

HUBER = 1e-3
"from this distance of the logarithms on a run's error counts by its size and not its square (Hoffmann et al. 2022)"
DROPPED = 5  # runs with the highest losses, which had not left the start of training (Besiroglu et al. 2024)
LEAST = 10  # runs below which five constants are not told by them
# A coarse part of Hoffmann's grid of starts; from most of them the same optimum is reached.
STARTS = tuple(itertools.product((0.0, 10.0, 20.0), (0.0, 10.0, 20.0), (-0.5, 0.5), (0.2, 0.5, 1.0)))
_NAMES = {
    "parameters": ("parameters", "model size", "n", "params"),
    "tokens": ("tokens", "d", "training tokens"),
    "flops": ("flops", "training flop", "c", "compute"),
    "loss": ("loss", "l", "final loss", "validation loss"),
}
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trial:
    """One training run."""

    parameters: float
    tokens: float
    loss: float
    "nats a token on held-out text"


@dataclass(frozen=True, slots=True)
class Fit:
    """The law that fits best, and how far the runs are from it."""

    law: Law
    huber: float
    "the sum of the Huber losses of the logarithms"
    trials: tuple[Trial, ...]
    "the runs it was fitted to"


def read_trials(path: Path) -> list[Trial]:
    """The runs in a CSV file: columns of parameters, of loss, and of tokens or FLOPs (tokens are FLOPs / 6 N).

    Raises UserError where the file cannot be read, a column is missing or a value is no number above 0.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read: {error}", "give a CSV file: dragoman plan fit=runs.csv") from None
    columns = {str(name).strip().lower(): name for name in (rows[0] if rows else {})}
    found = {ours: next((columns[name] for name in known if name in columns), "") for ours, known in _NAMES.items()}
    if not (found["parameters"] and found["loss"] and (found["tokens"] or found["flops"])):
        told = ", ".join(columns) or "no column"
        said = f"{path} has {told}; a fit needs parameters, loss, and tokens or flops"
        raise UserError(said, "name the columns in its first line: parameters,tokens,loss")
    return [_trial(row, found, f"row {number} of {path}") for number, row in enumerate(rows, 1)]


def _trial(row: dict[str, str], columns: dict[str, str], where: str) -> Trial:
    def number(name: str) -> float:
        given = row[columns[name]]
        try:
            value = float(given)
        except (TypeError, ValueError):
            value = math.nan
        if not 0 < value < math.inf:
            hint = f"write {columns[name]} as a number above 0, without separators"
            raise UserError(f"{where} gives {columns[name]} = {given!r}", hint)
        return value

    parameters = number("parameters")
    tokens = number("tokens") if columns["tokens"] else number("flops") / 6 / parameters
    return Trial(parameters, tokens, number("loss"))


def fit_law(trials: Sequence[Trial], drop: int = DROPPED) -> Fit:
    """The law whose logarithm of the loss is nearest to the runs', by the sum of Huber losses, from many starts.

    The sum and not the mean: a mean of losses near 1e-6 meets a minimiser's tolerance long before the minimum
    (Besiroglu et al. 2024). The `drop` runs of highest loss are left out. Raises UserError where there are too few runs
    or all have one size.
    """
    kept = sorted(trials, key=lambda one: one.loss)[: max(len(trials) - drop, 0)]
    sizes = len({one.parameters for one in kept}), len({one.tokens for one in kept})
    if len(kept) < LEAST or min(sizes) < 3:
        said = f"{len(kept)} runs of {sizes[0]} sizes and {sizes[1]} numbers of tokens do not tell five constants"
        hint = f"give {LEAST + drop} runs or more, of three sizes or more: dragoman plan fit=runs.csv"
        raise UserError(said, hint)
    runs = _logs(kept)
    begun = np.array([(*start, start[-1]) for start in STARTS])  # [p, 5]
    points, sums = _descend(begun, runs, np.ones((1, len(kept))), steps=100)
    best = points[np.argsort(sums)[:3]]
    points, sums = _descend(best, runs, np.ones((1, len(kept))), steps=5000)
    chosen = int(np.argmin(sums))
    return Fit(_law(points[chosen], f"fitted to {len(kept)} runs"), float(sums[chosen]), tuple(kept))


def resample(fit: Fit, times: int = 200, seed: int = 0) -> tuple[Law, ...]:
    """Laws fitted to `times` draws of the runs with replacement: how far the constants could be others (Efron 1979)."""
    dice = np.random.default_rng(seed)
    count = len(fit.trials)
    weights = dice.multinomial(count, np.full(count, 1 / count), size=times).astype(np.float64)  # [p, n]
    start = np.array([math.log(fit.law.a), math.log(fit.law.b), math.log(fit.law.floor), fit.law.alpha, fit.law.beta])
    points, _ = _descend(np.tile(start, (times, 1)), _logs(fit.trials), weights, steps=400)
    return tuple(_law(point, "") for point in points)


def _law(point: Numbers, name: str) -> Law:
    a, b, floor, alpha, beta = (float(number) for number in point)
    return Law(math.exp(floor), math.exp(a), math.exp(b), alpha, beta, name)


def _logs(trials: Iterable[Trial]) -> Numbers:
    """The logarithms of parameters, tokens and loss, [3, n]."""
    found: Numbers = np.log(np.array([(one.parameters, one.tokens, one.loss) for one in trials])).T
    return found


def _descend(points: Numbers, runs: Numbers, weights: Numbers, steps: int) -> tuple[Numbers, Numbers]:
    """Levenberg-Marquardt from many points at once, each with weights of its own: where they end, and the sums there.

    A point is (ln A, ln B, ln E, alpha, beta). Huber's loss is a square whose weight is min(1, delta / |r|), taken anew
    at each step, so no step goes up (Huber 1981, 7.8).
    """
    damping = np.full(len(points), 1e-3)
    errors, shares = _errors(points, runs)  # [p, n], [p, n, 3]
    sums = _huber(errors, weights)  # [p]
    for _ in range(steps):
        slopes = np.concatenate((shares, -shares[..., :2] * runs[:2].T), -1)  # [p, n, 5]
        kept = weights * np.minimum(1, HUBER / np.maximum(np.abs(errors), 1e-30))  # [p, n]
        weighed = slopes * kept[..., None]  # [p, n, 5]
        curve = weighed.transpose(0, 2, 1) @ slopes  # [p, 5, 5]
        down = (weighed * errors[..., None]).sum(1)  # [p, 5]
        held = np.einsum("pii->pi", curve) * damping[:, None] + 1e-18  # [p, 5]
        moves = np.linalg.solve(curve + held[..., None] * np.eye(5), -down[..., None])[..., 0]  # [p, 5]
        ahead = points + moves
        new_errors, new_shares = _errors(ahead, runs)
        new_sums = _huber(new_errors, weights)
        better = new_sums < sums
        done = np.where(better, sums - new_sums < 1e-12 * sums, damping >= 1e6)
        damping = np.clip(np.where(better, damping * 0.3, damping * 4), 1e-12, 1e6)
        points = np.where(better[:, None], ahead, points)
        errors = np.where(better[:, None], new_errors, errors)
        shares = np.where(better[:, None, None], new_shares, shares)
        sums = np.where(better, new_sums, sums)
        if done.all():
            break
    return points, sums


def _errors(points: Numbers, runs: Numbers) -> tuple[Numbers, Numbers]:
    """ln(E + A / N^alpha + B / D^beta) - ln L of each run, and the shares of A's, B's and E's part in the sum."""
    size = points[:, :1] - points[:, 3:4] * runs[0]  # [p, n]
    read = points[:, 1:2] - points[:, 4:5] * runs[1]  # [p, n]
    parts = np.stack((size, read, np.broadcast_to(points[:, 2:3], size.shape)), -1)  # [p, n, 3]
    highest = parts.max(-1, keepdims=True)
    lifted = np.exp(parts - highest)
    total = lifted.sum(-1, keepdims=True)
    return (highest + np.log(total))[..., 0] - runs[2], lifted / total


def _huber(errors: Numbers, weights: Numbers) -> Numbers:
    far = np.abs(errors)
    each = np.where(far <= HUBER, 0.5 * far**2, HUBER * (far - 0.5 * HUBER))
    total: Numbers = (weights * each).sum(-1)
    return total
