"""How well the surety of a search tells questions that documents answer from those that they do not, by kind."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dragoman.app.refusal import Calibrated, calibrate
from dragoman.core.proportion import wilson
from dragoman.core.types import Estimate

__all__ = ["NEAR_MISS", "OFF_TOPIC", "UNANSWERED", "Chosen", "auroc", "choose", "refused_share"]

UNANSWERED = "without an answer"
"questions of the file that the documents do not answer"
NEAR_MISS = "near miss"
"answerable questions whose sources were kept out of the search"
OFF_TOPIC = "off topic"
"questions on other things"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A threshold of refusal with its errors on questions that it was not chosen on, by turns."""

    threshold: float
    false_refusals: Estimate
    "the share of answerable questions that are refused"
    false_answers: Estimate
    "the share of all questions without an answer that are answered"
    by_kind: Mapping[str, Estimate]
    "the false answers of each kind of question"


def choose(
    answerable: Sequence[float], others: Mapping[str, Sequence[float]], most_false_refusals: float = 1.0, seed: int = 0
) -> Chosen:
    """The threshold that answers the fewest questions without an answer, where at most so many answerable ones are
    refused; of sureties, one a question.

    Raises UserError where there are under 10 questions with an answer, or without one.
    """
    scores = [*answerable, *(score for kind in others.values() for score in kind)]
    truth = [True] * len(answerable) + [False] * (len(scores) - len(answerable))
    found: Calibrated = calibrate(scores, truth, most_false_refusals, seed)
    given, start, by_kind = np.array(found.answered, dtype=bool), len(answerable), {}
    for kind, sureties in others.items():
        if len(sureties):
            by_kind[kind] = _share(given[start : start + len(sureties)])
        start += len(sureties)
    return Chosen(found.threshold, found.false_refusals, found.false_answers, by_kind)


def refused_share(scores: Sequence[float], threshold: float) -> Estimate:
    """The share of questions whose surety lies below a threshold, with Wilson's interval."""
    return _share(np.array(scores, dtype=np.float64) < threshold)


def auroc(higher: Sequence[float], lower: Sequence[float]) -> Estimate:
    """The chance that one of the first scores above one of the second, ties counted half; .5 tells nothing apart.

    Its variance is DeLong's (1988); the interval is Wilson's at the sample size at which a proportion would vary as
    much, and never more than the smaller of the two where they are apart. Raises ValueError where either is empty.
    """
    if not len(higher) or not len(lower):
        raise ValueError("there is nothing to tell apart")
    first, second = np.array(higher, dtype=np.float64), np.array(lower, dtype=np.float64)
    ordered = np.sort(second)
    above = (np.searchsorted(ordered, first, "left") + np.searchsorted(ordered, first, "right")) / 2 / len(second)
    ordered = np.sort(first)
    under = (np.searchsorted(ordered, second, "left") + np.searchsorted(ordered, second, "right")) / 2 / len(first)
    value, fewer = float(above.mean()), min(len(first), len(second))
    variance = _variance(above) + _variance(under)
    size = value * (1 - value) / variance if variance > 1e-12 and 0 < value < 1 else float(fewer)
    low, high = wilson(value, min(size, float(len(first) + len(second))) if math.isfinite(size) else float(fewer))
    return Estimate(value, low, high, len(first) + len(second))


def _variance(shares: NDArray[np.float64]) -> float:
    """What one side adds to the variance; of one question nothing is known, and it counts as the most there may be."""
    return float(shares.var(ddof=1)) / len(shares) if len(shares) > 1 else 0.25


def _share(wrong: NDArray[np.bool_]) -> Estimate:
    share = float(wrong.mean())
    low, high = wilson(share, len(wrong))
    return Estimate(share, low, high, len(wrong))
