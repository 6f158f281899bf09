"""Is the candidate of a trial better than the control, by what people said of both, at however many looks?

Two intervals stand beside each difference. Newcombe's (1998, method 10) is right for one look, at a time that was fixed
before. The other is a confidence sequence: it holds at every look at once, so stopping when it says so is allowed. It
is Robbins' mixture (1970; Howard, Ramdas, McAuliffe and Sekhon 2021, Annals of Statistics 49, for the beta-binomial):
for an arm with s hits and f misses, M(p) = B(s + 1/2, f + 1/2) / B(1/2, 1/2) / (p^s (1 - p)^f) is a martingale where p
is the arm's rate, whatever chose who comes next, so the product over both arms reaches 1 / alpha with probability alpha
at the most, ever. Every pair of rates whose product lies below that is still possible; the differences of those pairs
are the sequence.

Votes of one key are no independent trials: counts are divided by the design effect that is seen (Kish 1965), or by the
votes a key where fewer than ten keys voted, or fewer than five of them either way: where nearly all votes agree no
effect can be seen. With keys the promise of any time is therefore a close one, no exact one.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dragoman.core.proportion import wilson
from dragoman.core.types import Estimate

__all__ = [
    "Arm",
    "Counts",
    "Difference",
    "Seen",
    "Trial",
    "always_valid",
    "counted",
    "judge_trial",
    "newcombe",
    "ratio_of_medians",
    "still_possible",
]

FEW_KEYS = 10
EITHER = 5  # keys with each outcome, below which a design effect is taken from the votes a key
STEPS = 50  # halvings: 1e-15 of the range
TIMES = 10_000  # how many times the trial so far it is looked ahead
RESAMPLES, TIMED = 1000, 2000  # draws of the bootstrap, and the newest requests of an arm that are drawn from
Verdict = Literal["promote", "keep", "not yet"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request of a trial: what was said of its answer and how it went."""

    up: bool | None = None
    "True for a thumb up, False for one down or a correction, None where nobody said anything."
    refused: bool = False
    failed: bool = False
    seconds: float = 0.0
    key: str = ""
    "who asked; empty where each stands alone"


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of a trial, its requests in the order in which they came."""

    name: str
    requests: Sequence[Seen]


@dataclass(frozen=True, slots=True)
class Counts:
    """Hits and misses, as independent trials: they may be broken numbers."""

    hits: float
    misses: float

    @property
    def all(self) -> float:
        """How many trials."""
        return self.hits + self.misses

    @property
    def rate(self) -> float:
        """The share of hits; 0 without trials."""
        return self.hits / self.all if self.all else 0.0

    def times(self, factor: float) -> "Counts":
        """As many times more of the same."""
        return Counts(self.hits * factor, self.misses * factor)


@dataclass(frozen=True, slots=True)
class Difference:
    """A rate in both arms, and candidate minus control."""

    control: float
    candidate: float
    once: Estimate
    "Newcombe's interval, for one look."
    low: float
    "The lower end of the sequence that holds at every look."
    high: float


@dataclass(frozen=True, slots=True)
class Trial:
    """What a trial shows so far, and what follows."""

    control: str
    candidate: str
    requests: tuple[int, int]
    "Of the control and of the candidate."
    votes: Difference | None
    "The share of thumbs up among those given; None before both arms have any."
    refused: Difference
    failed: Difference
    slower: Estimate | None
    "The candidate's median time over the control's; None where an arm has fewer than two answers."
    verdict: Verdict
    why: str
    more: int | None
    "How many more requests would decide if the rates stay what they are; None where it is decided or no number would."


def counted(hits: Sequence[bool], keys: Sequence[str]) -> Counts:
    """Hits and misses of rows, weighed down where rows of one key are alike."""
    number, found = len(hits), float(sum(hits))
    named = [key or f"\0{place}" for place, key in enumerate(keys)]
    units = sorted(set(named))
    if not number or len(units) == number:
        return Counts(found, number - found)
    share = found / number
    sides = [len({name for name, hit in zip(named, hits, strict=True) if bool(hit) is side}) for side in (True, False)]
    if len(units) < FEW_KEYS or min(sides) < EITHER:
        effect = number / len(units)
    else:
        place = {name: index for index, name in enumerate(units)}
        away = np.zeros(len(units))
        np.add.at(away, [place[name] for name in named], np.asarray(hits, dtype=np.float64) - share)
        between = float((away**2).sum()) * len(units) / (len(units) - 1)
        effect = max(1.0, between / (number * share * (1 - share)))
    return Counts(found / effect, (number - found) / effect)


def newcombe(control: Counts, candidate: Counts) -> Estimate:
    """Candidate minus control, with the 95 % interval of Newcombe (1998), method 10: of Wilson's intervals."""
    (low_a, high_a), (low_b, high_b) = wilson(control.rate, control.all), wilson(candidate.rate, candidate.all)
    gap, a, b = candidate.rate - control.rate, control.rate, candidate.rate
    low = gap - math.hypot(b - low_b, high_a - a)
    high = gap + math.hypot(high_b - b, a - low_a)
    return Estimate(gap, max(-1.0, low), min(1.0, high), round(control.all + candidate.all))


def always_valid(control: Counts, candidate: Counts, alpha: float = 0.05) -> tuple[float, float]:
    """The differences, candidate minus control, that are still possible: with probability 1 - alpha the true one is
    among them at every look. See the module for the source."""

    def possible(gap: float) -> bool:
        return still_possible(control, candidate, gap, alpha)

    gap = candidate.rate - control.rate
    return _edge(possible, gap, -1.0), _edge(possible, gap, 1.0)


def still_possible(control: Counts, candidate: Counts, gap: float, alpha: float = 0.05) -> bool:
    """Whether some pair of rates with that difference, candidate minus control, is not ruled out."""
    return _least(control, candidate, gap) < -math.log(alpha)


def _edge(possible: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where `possible` ends between a difference that is and one that need not be."""
    if possible(outside):
        return outside
    for _ in range(STEPS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if possible(middle) else (inside, middle)
    return inside


def _least(control: Counts, candidate: Counts, gap: float) -> float:
    """The least log of the product of both arms' martingales over all pairs of rates with that difference.

    It is convex in the rate of the control: the root of its slope is found by halving.
    """
    low, high = max(0.0, -gap), min(1.0, 1.0 - gap)
    for _ in range(STEPS):
        rate = (low + high) / 2
        slope = _slope(control, rate) + _slope(candidate, rate + gap)
        low, high = (low, rate) if slope > 0 else (rate, high)
    rate = (low + high) / 2
    return _martingale(control, rate) + _martingale(candidate, rate + gap)


def _slope(counts: Counts, rate: float) -> float:
    rate = min(max(rate, 1e-15), 1 - 1e-15)
    return counts.misses / (1 - rate) - counts.hits / rate


def _martingale(counts: Counts, rate: float) -> float:
    """log M(rate) of one arm: 0 before anything is seen."""
    rate = min(max(rate, 1e-15), 1 - 1e-15)
    half = math.lgamma(counts.hits + 0.5) + math.lgamma(counts.misses + 0.5) - math.lgamma(counts.all + 1)
    return half - math.log(math.pi) - counts.hits * math.log(rate) - counts.misses * math.log1p(-rate)


def ratio_of_medians(control: Sequence[float], candidate: Sequence[float], seed: int = 0) -> Estimate | None:
    """The candidate's median seconds over the control's, with the 95 % interval of the bootstrap's percentiles.

    The newest 2,000 of each. None where one has fewer than two, or takes no time at all.
    """
    one, other = (np.asarray(values[-TIMED:], dtype=np.float64) for values in (control, candidate))
    if min(len(one), len(other)) < 2 or not np.median(one) > 0:
        return None
    random = np.random.default_rng(seed)
    drawn = [np.median(random.choice(values, (RESAMPLES, len(values))), axis=1) for values in (one, other)]
    ratios = drawn[1] / np.maximum(drawn[0], 1e-12)
    low, high = (float(end) for end in np.quantile(ratios, [0.025, 0.975]))
    value = float(np.median(other) / np.median(one))
    return Estimate(value, min(low, value), max(high, value), len(one) + len(other))


def judge_trial(
    control: Arm, candidate: Arm, *, alpha: float = 0.05, margin: float = 0.0, slower: float = 1.5, seed: int = 0
) -> Trial:
    """What the trial shows. At any number of looks, a candidate no better than the control less `margin` is promoted
    with probability `alpha` at the most.

    promote: the share of thumbs up is proven to lie above the control's less `margin`, and nothing below holds.
    keep: it is proven to lie below that, or more requests are proven to fail or to be refused, or the median time is
    more than `slower` times the control's with its whole interval. not yet: anything else.
    """
    liked = _votes(control), _votes(candidate)
    spoken = _difference(liked[0], liked[1], alpha) if all(one.all for one in liked) else None
    refused = _difference(_counts(control, "refused"), _counts(candidate, "refused"), alpha)
    failed = _difference(_counts(control, "failed"), _counts(candidate, "failed"), alpha)
    ratio = ratio_of_medians(_times(control), _times(candidate), seed)
    verdict, why = _verdict(spoken, refused, failed, ratio, margin, slower)
    requests = len(control.requests), len(candidate.requests)
    more = _more(liked[0], liked[1], alpha, margin, sum(requests)) if verdict == "not yet" else None
    return Trial(control.name, candidate.name, requests, spoken, refused, failed, ratio, verdict, why, more)


def _votes(arm: Arm) -> Counts:
    given = [one for one in arm.requests if one.up is not None]
    return counted([bool(one.up) for one in given], [one.key for one in given])


def _counts(arm: Arm, name: Literal["refused", "failed"]) -> Counts:
    hits = [one.refused if name == "refused" else one.failed for one in arm.requests]
    return counted(hits, [one.key for one in arm.requests])


def _times(arm: Arm) -> list[float]:
    return [one.seconds for one in arm.requests if not one.failed]


def _difference(control: Counts, candidate: Counts, alpha: float) -> Difference:
    low, high = always_valid(control, candidate, alpha)
    return Difference(control.rate, candidate.rate, newcombe(control, candidate), low, high)


def _verdict(
    votes: Difference | None,
    refused: Difference,
    failed: Difference,
    ratio: Estimate | None,
    margin: float,
    slower: float,
) -> tuple[Verdict, str]:
    if failed.low > 0:
        return "keep", "more of the candidate's requests fail"
    if refused.low > 0:
        return "keep", "the candidate refuses more"
    if ratio is not None and ratio.low > slower:
        return "keep", f"the candidate takes more than {slower:g} times as long"
    if votes is None:
        return "not yet", "not both have been rated by anybody"
    if votes.high < -margin:
        return "keep", "people like the control better"
    if votes.low > -margin:
        return "promote", "people like the candidate better" if votes.low > 0 else f"it is within {margin:g}"
    return "not yet", "the difference may still be chance"


def _more(control: Counts, candidate: Counts, alpha: float, margin: float, requests: int) -> int | None:
    """How many more requests decide, where every rate stays what it is; None where no number does."""

    def decides(factor: float) -> bool:
        low, high = always_valid(control.times(factor), candidate.times(factor), alpha)
        return low > -margin or high < -margin

    if not control.all or not candidate.all or not decides(TIMES):
        return None
    low, high = 1.0, float(TIMES)
    while high > low * 1.01:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if decides(middle) else (middle, high)
    return math.ceil(requests * (high - 1))
