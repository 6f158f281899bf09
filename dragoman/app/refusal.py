"""How sure a search is that it found what was asked, and below which surety it is honest to say that it did not."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dragoman.app.passages import Passage
from dragoman.app.turn import Turn
from dragoman.core.documents import NOT_IN_DOCUMENTS
from dragoman.core.errors import UserError
from dragoman.core.proportion import wilson
from dragoman.core.types import Answer, Estimate

__all__ = ["FEWEST", "Calibrated", "calibrate", "refused", "surety"]

FEWEST = 10  # questions of each kind from which a threshold is chosen
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A threshold, and how often it errs on questions that it was not chosen on (by turns, in 5 parts)."""

    threshold: float
    false_refusals: Estimate
    "the share of answerable questions that are refused"
    false_answers: Estimate
    "the share of questions without an answer that are answered"
    answered: tuple[bool, ...] = ()
    "whether each question would be answered, by a threshold that was not chosen on it"


def surety(passages: Sequence[Passage]) -> float:
    """The best cosine where cosines are known, else the best score; minus infinity where nothing was found.

    A fused score says how one passage stands beside the others, and its best one is near its ceiling even where none
    fits. A cosine does not.
    """
    cosines = [passage.dense for passage in passages if passage.dense is not None]
    scores = cosines or [passage.score for passage in passages]
    return max((score for score in scores if not math.isnan(score)), default=-math.inf)


def refused(turn: Turn, why: str) -> Turn:
    """The turn that says that its question is not answered by the documents, and goes no further."""
    return replace(
        turn,
        answer=replace(turn.answer, text=NOT_IN_DOCUMENTS, labels=(), scores={}, finish="stop")
        if turn.answer.text
        else Answer(NOT_IN_DOCUMENTS, finish="stop"),
        citations=(),
        refused=True,
        trace=(*turn.trace, why),
    )


def calibrate(
    scores: Sequence[float], answerable: Sequence[bool], most_false_refusals: float = 1.0, seed: int = 0
) -> Calibrated:
    """The threshold with the least sum of both rates of error, among those with at most so many false refusals.

    `scores` are sureties, one a question. Raises UserError where there are under 10 questions of either kind, and
    ValueError where the two lists are not of one length.
    """
    if len(scores) != len(answerable):
        raise ValueError(f"{len(scores)} scores for {len(answerable)} questions")
    values, truth = np.array(scores, dtype=np.float64), np.array(answerable, dtype=bool)
    for kind, count in (("with", int(truth.sum())), ("without", int((~truth).sum()))):
        if count < FEWEST:
            raise UserError(
                f"a threshold is not chosen from {count} questions {kind} an answer: at least {FEWEST} are needed",
                "add questions to the file that dragoman evaluate reads, those without an answer with an empty one",
            )
    fold = np.empty(len(values), dtype=np.intp)
    random = np.random.default_rng(seed)
    for which in (True, False):  # both kinds are shared out evenly
        places = random.permutation(np.flatnonzero(truth == which))
        fold[places] = np.arange(len(places)) % FOLDS
    given = np.zeros(len(values), dtype=bool)
    for part in range(FOLDS):
        held = fold == part
        given[held] = values[held] >= _threshold(values[~held], truth[~held], most_false_refusals)
    errors = (_share(~given[truth]), _share(given[~truth]))
    return Calibrated(_threshold(values, truth, most_false_refusals), *errors, tuple(given.tolist()))


def _threshold(values: NDArray[np.float64], truth: NDArray[np.bool_], most: float) -> float:
    """The middle between two neighbouring scores that splits best, or a step outside all of them."""
    seen = np.unique(values[np.isfinite(values)])
    if not len(seen):
        return 0.0
    cuts = np.concatenate(([seen[0] - 1e-9], (seen[1:] + seen[:-1]) / 2, [seen[-1] + 1e-9]))
    good, bad = np.sort(values[truth]), np.sort(values[~truth])
    false_refusals = np.searchsorted(good, cuts, "left") / len(good)
    false_answers = 1.0 - np.searchsorted(bad, cuts, "left") / len(bad)
    able = false_refusals <= most
    able[0] |= not able.any()
    cost = np.where(able, false_refusals + false_answers, np.inf)
    return float(cuts[int(np.argmin(cost))])


def _share(wrong: NDArray[np.bool_]) -> Estimate:
    share = float(wrong.mean())
    low, high = wilson(share, len(wrong))
    return Estimate(share, low, high, len(wrong))
