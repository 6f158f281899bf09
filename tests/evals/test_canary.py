"""A trial between two models: intervals by hand and by simulation, what looking often costs, and what is decided."""

import math
import random

import pytest

from dragoman.evals.canary import (
    Arm,
    Counts,
    Seen,
    always_valid,
    counted,
    judge_trial,
    newcombe,
    ratio_of_medians,
    still_possible,
)


def arm(name: str, up: int, down: int, silent: int = 0, seconds: float = 1.0) -> Arm:
    """Votes and requests without any."""
    said = [True] * up + [False] * down + [None] * silent
    return Arm(name, [Seen(one, seconds=seconds + place % 7 / 10) for place, one in enumerate(said)])


def test_newcombe_is_that_of_its_paper() -> None:
    found = newcombe(Counts(48, 32), Counts(56, 14))  # 56/70 - 48/80, in table II of the paper, method 10
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)
    assert found.value == pytest.approx(0.2) and found.n == 150
    nothing = newcombe(Counts(0, 0), Counts(0, 0))
    assert (nothing.low, nothing.high) == (-1.0, 1.0)


def test_the_sequence_is_that_of_a_search_over_all_pairs_of_rates() -> None:
    def martingale(hits: float, misses: float, rate: float) -> float:
        beta = math.lgamma(hits + 0.5) + math.lgamma(misses + 0.5) - math.lgamma(hits + misses + 1)
        return beta - math.log(math.pi) - hits * math.log(rate) - misses * math.log(1 - rate)

    grid = [(place + 0.5) / 400 for place in range(400)]
    one, other = [martingale(30, 20, rate) for rate in grid], [martingale(45, 5, rate) for rate in grid]
    gaps = [
        there - here
        for here, first in zip(grid, one, strict=True)
        for there, second in zip(grid, other, strict=True)
        if first + second < math.log(20)
    ]
    low, high = always_valid(Counts(30, 20), Counts(45, 5))
    assert low == pytest.approx(min(gaps), abs=0.005) and high == pytest.approx(max(gaps), abs=0.005)
    assert always_valid(Counts(0, 0), Counts(0, 0)) == (-1.0, 1.0)
    assert low < newcombe(Counts(30, 20), Counts(45, 5)).low  # the price of looking at any time


def test_looking_at_every_fortieth_vote_promotes_no_equal_model_too_often() -> None:
    """A/A: 200 trials of 1,200 votes, thirty looks each; the sequence is left once in twenty of them at the most."""
    draw, left, once = random.Random(7), 0, 0
    for _ in range(200):
        hits, all_ = [0, 0], [0, 0]
        gone = fixed = False
        for vote in range(1, 1201):
            side = draw.random() < 0.3
            all_[side] += 1
            hits[side] += draw.random() < 0.8
            if vote % 40 or not min(all_):
                continue
            counts = [Counts(hits[place], all_[place] - hits[place]) for place in (0, 1)]
            gone = gone or not still_possible(counts[0], counts[1], 0.0)
            found = newcombe(counts[0], counts[1])
            fixed = fixed or found.low > 0 or found.high < 0
        left, once = left + gone, once + fixed
    assert left <= 10  # 5 % of 200
    assert once > 30  # what looking so often does to an interval for one look


def test_the_intervals_hold_the_truth() -> None:
    """Of 300 trials with 60 and 140 votes: Newcombe's in about 95 of 100, the sequence in more."""
    draw, once, ever = random.Random(3), 0, 0
    for _ in range(300):
        one, other = (sum(draw.random() < rate for _ in range(size)) for rate, size in ((0.7, 140), (0.8, 60)))
        counts = Counts(one, 140 - one), Counts(other, 60 - other)
        found, (low, high) = newcombe(*counts), always_valid(*counts)
        once += found.low <= 0.1 <= found.high
        ever += low <= 0.1 <= high
    assert 275 <= once <= 296 and ever >= 294


def test_what_is_decided() -> None:
    better = judge_trial(arm("old", 420, 180, 500), arm("new", 360, 40, 100))
    assert (better.verdict, better.control, better.candidate, better.more) == ("promote", "old", "new", None)
    assert better.votes is not None and better.votes.low > 0 and better.requests == (1100, 500)
    worse = judge_trial(arm("old", 360, 40), arm("new", 280, 120))
    assert worse.verdict == "keep" and "control better" in worse.why
    early = judge_trial(arm("old", 42, 18, 40), arm("new", 18, 2))
    assert early.verdict == "not yet" and early.more is not None
    factor = 1 + early.more / 120
    decided = always_valid(Counts(42, 18).times(factor), Counts(18, 2).times(factor))
    assert (
        decided[0] > 0 and always_valid(Counts(42, 18).times(factor / 1.05), Counts(18, 2).times(factor / 1.05))[0] < 0
    )
    same = judge_trial(arm("old", 40, 10), arm("new", 40, 10))
    assert (same.verdict, same.more) == ("not yet", None)
    assert judge_trial(arm("old", 800, 200), arm("new", 805, 195), margin=0.1).verdict == "promote"
    assert judge_trial(arm("old", 0, 0, 30), arm("new", 0, 0, 30)).votes is None


def test_nothing_is_promoted_that_fails_refuses_or_is_slow() -> None:
    old, new = arm("old", 420, 180), arm("new", 380, 20)
    assert judge_trial(old, new).verdict == "promote"
    failing = Arm("new", [*new.requests, *[Seen(failed=True)] * 60])
    assert (judge_trial(old, failing).verdict, judge_trial(old, failing).why) == (
        "keep",
        "more of the candidate's requests fail",
    )
    refusing = Arm("new", [*new.requests, *[Seen(refused=True, seconds=1.0)] * 60])
    assert judge_trial(old, refusing).why == "the candidate refuses more"
    slow = judge_trial(old, arm("new", 380, 20, seconds=4.0))
    assert slow.verdict == "keep" and slow.slower is not None and slow.slower.low > 1.5
    assert judge_trial(old, arm("new", 380, 20, seconds=4.0), slower=10).verdict == "promote"


def test_votes_of_one_key_are_no_independent_trials() -> None:
    assert counted([True, False, True], ["", "", ""]) == Counts(2, 1)
    assert counted([True] * 30 + [False] * 10, ["a"] * 30 + ["b"] * 10).all == pytest.approx(2)
    alike = [True] * 50 + [False] * 50
    keys = [f"k{place // 5}" for place in range(100)]  # five votes a key, all the same
    assert counted(alike, keys).all == pytest.approx(20, rel=0.06)
    mixed = [place % 2 == 0 for place in range(100)]
    assert counted(mixed, keys).all == pytest.approx(100)
    assert counted(alike, keys).rate == counted(mixed, keys).rate == 0.5


def test_votes_of_few_keys_that_all_agree_are_no_proof() -> None:
    keys = [f"k{place // 50}" for place in range(1000)]  # twenty keys, fifty votes each
    for hits in ([True] * 1000, [False] * 1000, [False] * 100 + [True] * 900):  # none, all, and two keys against
        assert counted(hits, keys).all == pytest.approx(20)
    assert counted([True] * 20, [f"k{place}" for place in range(20)]) == Counts(20, 0)


def test_the_ratio_of_two_medians() -> None:
    draw = random.Random(5)
    one, other = ([draw.lognormvariate(shift, 0.3) for _ in range(400)] for shift in (0.0, math.log(2)))
    found = ratio_of_medians(one, other)
    assert found is not None and found.low < 2 < found.high and found.high - found.low < 0.4
    assert ratio_of_medians([1.0], one) is None and ratio_of_medians([0.0, 0.0], one) is None
