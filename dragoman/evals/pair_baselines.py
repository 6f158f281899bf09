"""What a reward model must beat on pairs of answers: the shorter one, the longer one, and a linear model of words.

The linear one is a Bradley-Terry model (Bradley and Terry 1952) over the TF-IDF of words and pairs of words. It needs
no torch, learns a thousand pairs in a tenth of a second, and rates any answer: a second reward that nobody trained on.
"""

import re
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dragoman.core.doors import Metric, Prompt
from dragoman.core.errors import UserError
from dragoman.core.types import Estimate, Example
from dragoman.data.prompt_leaks import prompt_groups
from dragoman.evals.interval import estimates
from dragoman.metrics.accuracy import Accuracy
from dragoman.metrics.log_loss import LogLoss

__all__ = ["Baseline", "LinearReward", "fit_linear", "pair_baselines"]

Numbers = NDArray[np.float64]
Whole = NDArray[np.int64]
Judge = Callable[[Sequence[Example], Sequence[Example]], Numbers]
"the margins of the second pairs, above 0 for the chosen answer, by what the first ones taught"
GRAM = re.compile(r"\w+|[^\w\s]")
BUCKETS = 2**20  # a gram is known by its crc32 in so many: of 60,000 grams 3 % share one
SEEN = 2  # answers in which a gram must stand to count
NEWTON = 30  # steps at the most; 4 are taken
INNER = 60  # steps of conjugate gradients in each of them
ENOUGH = 1e-3  # the length of the gradient beside that at no weights
DOUBT = 1.0  # rights and wrongs that a rule has before it is tried


@dataclass(frozen=True, slots=True)
class Baseline:
    """How often a rule finds the chosen one of two answers it has not seen, and its surprise in nats a pair."""

    name: str
    accuracy: Estimate
    "A tie is half right."
    nll: Estimate
    "A coin has ln 2, 0.693."


@dataclass(frozen=True, eq=False)
class LinearReward:
    """A sum over the words and pairs of words of an answer, whatever was asked: a core.doors.Reward."""

    grams: Whole
    "the buckets of the grams that count, ascending, of shape [grams]"
    rarity: Numbers
    "their inverse document frequency, of shape [grams]"
    weights: Numbers
    "of shape [grams]"

    def rate(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> Numbers:
        """How good each answer is, of shape [n]; the difference of two is the log odds that the first is chosen."""
        if not answers:
            return np.zeros(0)
        text, gram, value = _weighed(*_counted(answers), self.grams, self.rarity, len(answers))
        return _summed(text, value * self.weights[gram], len(answers))


def fit_linear(pairs: Sequence[Example], strength: float = 1.0) -> LinearReward:
    """The linear model of pairs (one accepted, one rejected answer each): the least sum of -log sigmoid(margin) plus
    strength / 2 times the squared length of the weights. Raises UserError where there is no pair."""
    pairs = _told(pairs)
    count = len(pairs)
    answers = [one.answers[0] for one in pairs] + [one.rejected for one in pairs]
    text, gram, times = _counted(answers)
    holding = np.bincount(gram, minlength=BUCKETS)
    grams = np.flatnonzero(holding >= SEEN)
    rarity = np.log((1 + len(answers)) / (1 + holding[grams])) + 1
    text, gram, value = _weighed(text, gram, times, grams, rarity, len(answers))
    pair, signed = text % count, np.where(text < count, value, -value)
    return LinearReward(grams, rarity, _learnt(pair, gram, signed, count, len(grams), strength))


def pair_baselines(
    examples: Sequence[Example], *, folds: int = 10, strength: float = 1.0, seed: int = 0
) -> dict[str, Baseline]:
    """`shorter`, `longer` and `linear` on pairs that each was not taught, by cross-validation.

    Pairs about one prompt, or about a dialogue and its continuation, stand in one fold. A rule of length has the
    probability with which it was right in the other folds. Raises UserError for fewer prompts than folds.
    """
    pairs = _told(examples)
    groups = prompt_groups(pairs)
    names = sorted(set(groups))
    if len(names) < max(folds, 2):
        problem = f"{len(names)} prompts cannot be cut into {folds} parts"
        raise UserError(problem, "data.source=PATH names more pairs of answers")
    drawn = dict(zip(np.random.default_rng(seed).permutation(names).tolist(), range(len(names)), strict=True))
    fold = np.array([drawn[group] % folds for group in groups])
    judges: dict[str, Judge] = {
        "shorter": lambda known, asked: _by_length(known, asked, -1),
        "longer": lambda known, asked: _by_length(known, asked, 1),
        "linear": lambda known, asked: _by_words(known, asked, strength),
    }
    side = np.sign(_longer(pairs))
    said = {"shorter": -side, "longer": side}  # what a rule picks, though the other folds may turn it round
    found = {}
    for name, judge in judges.items():
        margins = np.zeros(len(pairs))
        for part in range(folds):
            known = [one for one, place in zip(pairs, fold, strict=True) if place != part]
            asked = [one for one, place in zip(pairs, fold, strict=True) if place == part]
            margins[fold == part] = judge(known, asked)
        found[name] = _measured(name, said.get(name, margins), margins, groups)
    return found


def _measured(name: str, chosen: Numbers, margins: Numbers, groups: Sequence[int]) -> Baseline:
    """The figures of margins of shape [pairs]; pairs of one group are drawn together."""
    right = (chosen > 0) + 0.5 * (chosen == 0)
    rows = {"accuracy": right[:, None], "nll": np.logaddexp(0.0, -margins)[:, None]}
    metrics: dict[str, Metric] = {"accuracy": Accuracy(), "nll": LogLoss()}
    made = estimates(metrics, rows, [str(group) for group in groups])
    return Baseline(name, made["accuracy"], made["nll"])


def _told(examples: Sequence[Example]) -> list[Example]:
    pairs = [one for one in examples if one.rejected and one.answers and one.answers[0] != one.rejected]
    if not pairs:
        problem = f"of {len(examples)} examples none is a pair of a chosen and a rejected answer"
        raise UserError(problem, "data.source=PATH names rows with prompt, chosen and rejected")
    return pairs


def _longer(pairs: Sequence[Example]) -> Numbers:
    """By how many characters each chosen answer is the longer one, of shape [pairs]."""
    return np.array([len(one.answers[0]) - len(one.rejected) for one in pairs], dtype=np.float64)


def _by_length(known: Sequence[Example], asked: Sequence[Example], side: int) -> Numbers:
    """The log odds of a rule of length: how often it was right, the sign where it says the opposite."""
    before = np.sign(_longer(known)) * side
    odds = np.log((np.sum(before > 0) + DOUBT) / (np.sum(before < 0) + DOUBT))
    return np.sign(_longer(asked)) * side * float(odds)


def _by_words(known: Sequence[Example], asked: Sequence[Example], strength: float) -> Numbers:
    """The margins of the linear model."""
    model = fit_linear(known, strength)
    better, worse = [one.answers[0] for one in asked], [one.rejected for one in asked]
    return model.rate((), better) - model.rate((), worse)


def _counted(texts: Sequence[str]) -> tuple[Whole, Whole, Numbers]:
    """Which text holds which gram how often: three columns, ordered by text."""
    buckets: dict[str, int] = {}
    text: list[int] = []
    gram: list[int] = []
    times: list[int] = []
    for place, one in enumerate(texts):
        words = GRAM.findall(one.casefold())
        held: Counter[int] = Counter()
        for name, count in Counter([*words, *map(" ".join, pairwise(words))]).items():
            if name not in buckets:
                buckets[name] = zlib.crc32(name.encode("utf-8", "surrogatepass")) % BUCKETS
            held[buckets[name]] += count
        text += [place] * len(held)
        gram += held.keys()
        times += held.values()
    return np.array(text, dtype=np.int64), np.array(gram, dtype=np.int64), np.array(times, dtype=np.float64)


def _weighed(
    text: Whole, gram: Whole, times: Numbers, grams: Whole, rarity: Numbers, texts: int
) -> tuple[Whole, Whole, Numbers]:
    """The grams that count, by their place among `grams`, with (1 + log times) * rarity scaled to length 1 a text."""
    place = np.searchsorted(grams, gram)
    known = place < len(grams)
    known[known] = grams[place[known]] == gram[known]
    text, place = text[known], place[known]
    value = (1 + np.log(times[known])) * rarity[place]
    length = np.sqrt(np.bincount(text, value**2, minlength=texts))
    return text, place, value / length[text]


def _learnt(pair: Whole, gram: Whole, value: Numbers, pairs: int, grams: int, strength: float) -> Numbers:
    """The weights, of shape [grams], by Newton's method; each step is found by conjugate gradients.

    The loss is convex and its curvature is bounded by that at 0 margins, so that no step is too long in practice: it
    is halved where the loss would rise all the same.
    """

    def over_pairs(weights: Numbers) -> Numbers:
        return _summed(pair, value * weights[gram], pairs)

    def over_grams(rows: Numbers) -> Numbers:
        return _summed(gram, value * rows[pair], grams)

    def turned(bend: Numbers, weights: Numbers) -> Numbers:
        return strength * weights + over_grams(bend * over_pairs(weights))

    def loss(weights: Numbers, margins: Numbers) -> float:
        return float(np.logaddexp(0.0, -margins).sum() + strength / 2 * weights @ weights)

    weights, margins, first = np.zeros(grams), np.zeros(pairs), 0.0
    for _ in range(NEWTON):
        doubt = 0.5 - 0.5 * np.tanh(margins / 2)  # sigmoid(-margin), without overflow
        slope = strength * weights - over_grams(doubt)
        steep = float(np.linalg.norm(slope))
        first = first or steep
        if steep <= ENOUGH * first:
            break
        bend = doubt * (1 - doubt)
        step = _solved(partial(turned, bend), -slope, steep / first)
        before, along = loss(weights, margins), over_pairs(step)
        share = 1.0
        while share > 1e-6 and loss(weights + share * step, margins + share * along) > before:
            share /= 2
        weights, margins = weights + share * step, margins + share * along
    return weights


def _summed(place: Whole, value: Numbers, places: int) -> Numbers:
    """The sum of the values at each place, of shape [places]."""
    return np.bincount(place, value, minlength=places).astype(np.float64, copy=False)


def _solved(times: Callable[[Numbers], Numbers], wanted: Numbers, near: float) -> Numbers:
    """What a positive matrix turns into `wanted`, by conjugate gradients (Hestenes and Stiefel 1952); the nearer the
    goal, the more exactly."""
    found, left = np.zeros_like(wanted), wanted.copy()
    along, size = left.copy(), float(left @ left)
    goal = min(0.1, near**0.5) ** 2 * size
    for _ in range(INNER):
        turned = times(along)
        far = size / float(along @ turned)
        found, left = found + far * along, left - far * turned
        size, old = float(left @ left), size
        if size <= goal:
            break
        along = left + size / old * along
    return found
