"""Shares of tasks, exact; draws, a pure function of seed and number; rows, each task's own epochs."""

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from dragoman.core.errors import UserError
from dragoman.train.fitting import Fitted, fit_rows
from dragoman.train.mixing import Mixed, Mixing, mix
from dragoman.train.proportions import mixed_rates
from tests.train.test_fitting import old, written

SHARES = mixed_rates([10, 400, 90, 5000], 3000)


def part(name: str, count: int, size: int = 6) -> Fitted:
    """A task of so many examples, four of which share a row of 24 tokens where they have six."""
    return fit_rows([written(size, f"{name}{row}") for row in range(count)], 24, 0, True)


def test_the_rates_are_exact() -> None:
    assert mixed_rates([100, 300], 1000) == pytest.approx((0.25, 0.75), abs=1e-12)
    assert mixed_rates([100, 900, 10**6], 300) == pytest.approx((100 / 700, 300 / 700, 300 / 700), abs=1e-12)
    found, counts = mixed_rates([7, 31, 6000], 3000, 2.0), (7, 31, 3000)
    roots = [math.sqrt(count / sum(counts)) for count in counts]
    assert found == pytest.approx([root / sum(roots) for root in roots], abs=1e-12)
    assert mixed_rates([1, 10, 100], 3000, math.inf) == pytest.approx((1 / 3,) * 3, abs=1e-12)
    assert mixed_rates([1, 10, 100], 3000, 1e6) == pytest.approx((1 / 3,) * 3, abs=1e-5)
    assert mixed_rates([1, 10, 100], 3000, 1e-3) == pytest.approx((0, 0, 1), abs=1e-12)  # no underflow to 0 / 0
    assert sum(SHARES) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("given", [(0, 1.0), (3000, 0.0), (3000, -1.0), (3000, math.nan)])
def test_what_cannot_be_mixed(given: tuple[int, float]) -> None:
    with pytest.raises(UserError) as caught:
        mixed_rates([1, 2], *given)
    assert "objective." in caught.value.hint


def test_a_hundred_thousand_draws_have_the_shares() -> None:
    mixing = Mixing(SHARES, 5)
    counts = np.bincount([mixing.draw(number) for number in range(100_000)], minlength=4)
    assert stats.chisquare(counts, np.array(SHARES) * 100_000).pvalue > 1e-3
    wrong = np.array(mixed_rates([10, 400, 90, 5000], 3000, 1.1)) * 100_000
    assert stats.chisquare(counts, wrong).pvalue < 1e-6


def test_a_draw_needs_none_of_those_before_it() -> None:
    whole, seen = Mixing(SHARES, 1), Counter[int]()
    places = []
    for number in range(3500):
        task, place = whole.place(number)
        assert place == seen[task]
        seen[task] += 1
        places.append((task, place))
    for number in (3499, 12, 2001, 999, 1000, 0):  # back and forth, and from nothing
        assert Mixing(SHARES, 1).place(number) == whole.place(number) == places[number]
    assert [Mixing(SHARES, 2).draw(number) for number in range(99)] != [one for one, _ in places[:99]]


def test_each_task_goes_through_its_own_rows_in_its_own_epochs() -> None:
    made = mix({"a": part("a", 40), "b": part("b", 12), "c": part("c", 4)}, 3000, 1.0, 0)
    seen: dict[str, list[str]] = {"a": [], "b": [], "c": []}
    for step in range(60):
        for row in made.batch(step, 4):
            seen[row.name[0]].append(row.name)
    for task, size in (("a", 10), ("b", 3), ("c", 1)):
        names = seen[task]
        assert len(names) > size
        epochs = [names[start : start + size] for start in range(0, len(names) - size + 1, size)]
        assert all(len(set(epoch)) == size for epoch in epochs)
    assert [row.name for row in made.batch(41, 4)] == [row.name for row in replace(made).batch(41, 4)]


def test_a_row_that_holds_more_examples_is_drawn_the_less_often() -> None:
    made = mix({"short": part("s", 80), "long": part("l", 80, 24)}, 3000, 1.0, 0)
    assert made.mixing.shares == pytest.approx((0.2, 0.8), abs=1e-12)  # 20 rows of four, 80 of one
    assert made.epoch == 100
    assert made.steps_an_epoch(8) == 13
    capped = mix({"short": part("s", 80), "long": part("l", 80, 24)}, 40, 1.0, 0)
    assert capped.mixing.shares == made.mixing.shares and capped.epoch == 50


def test_the_first_few_rows_are_of_all_tasks() -> None:
    made = mix({"a": part("a", 40), "b": part("b", 8)}, 3000, 1.0, 0)
    assert len(made.rows) == 12
    assert [made.row(number).name[0] for number in range(5)] == ["a", "b", "a", "b", "a"]
    assert len({made.row(number).name for number in range(12)}) == 12


def test_the_digest_and_what_is_told_of_it() -> None:
    parts = {"a": part("a", 40), "b": part("b", 8)}
    made = mix(parts, 3000, 1.0, 0)
    others: list[Mixed] = [mix(parts, 3000, 2.0, 0), mix(parts, 10, 1.0, 0), mix({"a": parts["a"]}, 3000, 1.0, 0)]
    changes: list[dict[str, Any]] = [{"names": ("x", "b")}, {"replay": old()}, {"share": 0.5}]
    others += [replace(made, **change) for change in changes]
    assert len({made.digest(), *(one.digest() for one in others)}) == 7
    assert made.digest() == mix(parts, 3000, 1.0, 0).digest()
    assert not made.words()
    cut = mix({"a": replace(parts["a"], cut=3, dropped=1), "b": replace(parts["b"], cut=2)}, 3000, 1.0, 0)
    assert (cut.cut, cut.dropped) == (5, 1)


def test_old_text_comes_on_top_of_a_mixture() -> None:
    made = replace(mix({"a": part("a", 40), "b": part("b", 8)}, 3000, 1.0, 0), replay=old(), share=0.25)
    rows = [row.name for step in range(30) for row in made.batch(step, 6)]
    assert sum(name.startswith("replay:") for name in rows) == 60 and len(rows) == 240
