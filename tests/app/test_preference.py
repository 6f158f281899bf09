"""Preferences under a principle: symmetric, without a liking for a place, near the hidden rule, clamped."""

import numpy as np
import pytest

from dragoman.app.constitution import default_constitution
from dragoman.app.preference import Compared, Preferred, compare
from dragoman.core.doors import Prompt
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from tests.app.planted import Planted, answer_to, zaps

RULES = default_constitution()


def pairs(count: int) -> list[Compared]:
    """Answers with different numbers of zaps."""
    found: list[Compared] = []
    row = 0
    while len(found) < count:
        question = f"question {row}"
        two = answer_to(question, 0), answer_to(question, 1)
        if zaps(two[0]) != zaps(two[1]):
            found.append(((Message("user", question),), *two))
        row += 1
    return found


def of(critic: Planted, given: list[Compared], think: Sampling | None = None, seed: int = 0) -> list[Preferred]:
    found = compare(given, critic, RULES, seed, think)
    assert None not in found
    return [one for one in found if one is not None]


def turned(given: list[Compared]) -> list[Compared]:
    return [(prompt, other, one) for prompt, one, other in given]


@pytest.mark.parametrize("think", [None, Sampling(max_tokens=9)])
def test_both_ways_sum_to_one(think: Sampling | None) -> None:
    given = pairs(200)
    critic = Planted(bias=2.5, noise=3.0)
    there, back = of(critic, given, think), of(critic, turned(given), think)
    assert max(abs(one.soft + other.soft - 1) for one, other in zip(there, back, strict=True)) <= 1e-12
    assert [one.principle for one in there] == [one.principle for one in back]
    assert len({one.principle.name for one in there}) == 8
    assert [one.principle for one in of(critic, given, think, seed=1)] != [one.principle for one in there]


def test_a_liking_for_a_place_cancels() -> None:
    given = pairs(100)
    fair = [one.soft for one in of(Planted(), given)]
    for bias in (-3.0, 0.5, 20.0):
        found = of(Planted(bias=bias), given)
        np.testing.assert_allclose([one.soft for one in found], fair, atol=1e-12)
    assert not any(one.consistent for one in of(Planted(bias=20.0), given))
    assert all(one.consistent for one in of(Planted(bias=0.5), given))


def test_labels_agree_with_the_hidden_rule() -> None:
    given = pairs(400)
    right = [zaps(one) < zaps(other) for _, one, other in given]
    for bias in (0.0, 4.0):
        found = of(Planted(bias=bias, noise=1.0), given)
        assert np.mean([(one.soft > 0.5) == good for one, good in zip(found, right, strict=True)]) >= 0.95
    biased = of(Planted(bias=4.0, noise=1.0), given)
    alone = np.mean([(one.first_in_front > 0) == good for one, good in zip(biased, right, strict=True)])
    assert alone < 0.6  # one order of a critic that likes the first place says little


def test_a_chain_of_thought_is_clamped_and_asked_in_each_order() -> None:
    given, critic = pairs(20), Planted(sure=9.0)
    found = of(critic, given, Sampling(max_tokens=9))
    assert {round(one.soft, 12) for one in found} == {0.4, 0.6}
    assert sum("step by step" in asked[-1].content for asked in critic.asked) == 40
    assert sum(asked[-3].content == "Let us count." for asked in critic.asked if asked[-1].role == "assistant") == 40


def test_a_pair_that_is_too_long_costs_itself() -> None:
    class Short(Planted):
        def check(self, prompt: Prompt) -> None:
            if sum(len(one.content) for one in prompt) > 5000:
                raise UserError("too long", "shorten it")

    given = pairs(3)
    given[1] = (given[1][0], "x " * 4000, given[1][2])
    found = compare(given, Short(), RULES)
    assert [one is None for one in found] == [False, True, False]
    assert compare([], Short(), RULES) == []
