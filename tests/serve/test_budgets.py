"""Budgets are exact to the request, slide with time, and go on where they were after a restart."""

import random
import time
from pathlib import Path

import pytest

from dragoman.serve.budgets import Budgets, Left
from dragoman.serve.journal import Journal, Policy
from dragoman.serve.keys import Key
from dragoman.serve.refused import Refused

NOW = 1_800_000_000.25  # 08:00 in UTC


def key(requests: int = 0, minute: int = 0, day: int = 0, name: str = "alice") -> Key:
    """A key with budgets."""
    return Key("0" * 64, name, (), requests, minute, day)


def test_requests_are_counted_to_the_last_one() -> None:
    budgets, alice = Budgets(), key(requests=5)
    for _ in range(5):
        budgets.admit(alice, NOW)
    for _ in range(3):
        with pytest.raises(Refused) as refused:
            budgets.admit(alice, NOW + 10)
        assert refused.value.status == 429 and refused.value.retry_after == 51
    budgets.admit(key(requests=5, name="ben"), NOW + 10)
    with pytest.raises(Refused):
        budgets.admit(alice, NOW + 60)
    budgets.admit(alice, NOW + 10 + 51)
    assert budgets.left(alice, NOW + 61) == Left(4, None, None)


def test_in_no_sixty_seconds_more_than_the_budget_comes_in() -> None:
    budgets, alice, draw = Budgets(), key(requests=7), random.Random(0)
    now, times = NOW, []
    for _ in range(2000):
        now += draw.expovariate(0.5)
        try:
            budgets.admit(alice, now)
        except Refused as refused:
            with pytest.raises(Refused):
                budgets.admit(alice, now + refused.retry_after - 1)
            now += refused.retry_after
            budgets.admit(alice, now)  # what was said about the time is true
        times.append(now)
    assert all(late - early > 60 for early, late in zip(times, times[7:], strict=False))


def test_a_prompt_is_counted_before_and_only_where_it_fits() -> None:
    budgets, alice = Budgets(), key(minute=100)
    budgets.reserve(alice, 60, NOW)
    with pytest.raises(Refused) as refused:
        budgets.reserve(alice, 41, NOW + 5)
    assert (refused.value.status, refused.value.retry_after) == (429, 56)
    budgets.reserve(alice, 40, NOW + 5)
    with pytest.raises(Refused) as refused:
        budgets.admit(alice, NOW + 6)
    assert refused.value.retry_after == 55
    with pytest.raises(Refused) as refused:
        budgets.reserve(alice, 101, NOW + 500)
    assert (refused.value.status, refused.value.retry_after) == (413, 0)


def test_an_answer_ends_where_its_budget_does() -> None:
    budgets, alice = Budgets(), key(minute=10)
    budgets.admit(alice, NOW)
    for _ in range(10):
        budgets.charge(alice, 1, NOW)
    with pytest.raises(Refused) as refused:
        budgets.charge(alice, 1, NOW)
    assert refused.value.status == 429
    assert budgets.left(alice, NOW) == Left(None, 0, None)


def test_a_day_ends_at_midnight() -> None:
    budgets, alice = Budgets(), key(day=10)
    budgets.reserve(alice, 10, NOW)
    with pytest.raises(Refused) as refused:
        budgets.admit(alice, NOW + 3600)
    midnight = NOW + 3600 + refused.value.retry_after
    assert midnight // 86_400 == NOW // 86_400 + 1 and midnight % 86_400 < 1
    budgets.admit(alice, midnight)
    assert budgets.left(alice, midnight) == Left(None, None, 10)


def test_without_budgets_nothing_is_refused() -> None:
    budgets = Budgets()
    for _ in range(1000):
        budgets.admit(key())
        budgets.charge(key(), 1_000_000)
    assert budgets.left(key()) == Left(None, None, None)


@pytest.mark.parametrize("policy", [Policy(), Policy(on=False)])
def test_a_restart_changes_no_budget(tmp_path: Path, policy: Policy) -> None:
    now = float(int(time.time()))
    now = min(now, now // 86_400 * 86_400 + 86_200)  # the whole of it on one day, and recent enough to be known
    alice, ben = key(requests=5, minute=100, day=1000), key(day=70, name="ben")
    before = None
    for start in (now, now + 30, now + 40):
        journal = Journal(tmp_path / "journal.db", policy)
        journal.start()
        budgets = Budgets(journal)
        budgets.start(start)
        assert before is None or (budgets.left(alice, start), budgets.left(ben, start)) == before
        budgets.admit(alice, start)
        budgets.reserve(alice, 20, start)
        budgets.charge(ben, 20, start)
        before = budgets.left(alice, start + 1), budgets.left(ben, start + 1)
        journal.stop()
    assert before == (Left(2, 40, 940), Left(None, None, 10))
    journal = Journal(tmp_path / "journal.db", policy)
    journal.start()
    budgets = Budgets(journal)
    budgets.start(now + 91)  # the first two are over by now
    assert budgets.left(alice, now + 91) == Left(4, 80, 940)
    journal.stop()
