"""The optimum of a budget is where the loss is lowest, and the three sets of constants differ as published."""

import math
from itertools import pairwise

import pytest

from dragoman.core.chinchilla import (
    BESIROGLU,
    HOFFMANN_ROUNDED,
    HOFFMANN_TEX,
    LAWS,
    Law,
    effective_tokens,
    interval,
    limited,
    resampled,
    warnings_of,
)

GOPHER = 5.76e23


@pytest.mark.parametrize(
    ("law", "parameters", "tokens", "ratio"),
    [
        (HOFFMANN_ROUNDED, 32.2e9, 2.98e12, 92.6),
        (HOFFMANN_TEX, 40.4e9, 2.38e12, 58.9),
        (BESIROGLU, 72.2e9, 1.33e12, 18.4),
    ],
    ids=["rounded", "tex", "corrected"],
)
def test_where_each_law_sees_the_optimum(law: Law, parameters: float, tokens: float, ratio: float) -> None:
    best = law.best(GOPHER)
    assert best.parameters == pytest.approx(parameters, rel=3e-3)
    assert best.tokens == pytest.approx(tokens, rel=3e-3)
    assert best.tokens_a_parameter == pytest.approx(ratio, rel=1e-3)
    assert 6 * best.parameters * best.tokens == pytest.approx(GOPHER)


@pytest.mark.parametrize("budget", [1e15, 1e19, GOPHER])
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_the_closed_form_is_the_lowest_loss_of_a_grid(law: Law, budget: float) -> None:
    best = law.best(budget)
    grid = [best.parameters * 1.0005**step for step in range(-4000, 4001)]
    lowest = min(grid, key=lambda size: law.loss(size, budget / 6 / size))
    assert lowest == pytest.approx(best.parameters, rel=1e-3)
    assert law.loss(lowest, budget / 6 / lowest) >= best.loss * (1 - 1e-12)


@pytest.mark.parametrize("tokens", [1e9, 1e12])
def test_the_size_for_some_tokens_has_them_as_its_optimum(tokens: float) -> None:
    parameters = BESIROGLU.parameters_for(tokens)
    assert BESIROGLU.best(6 * parameters * tokens).tokens == pytest.approx(tokens)


def test_the_interval_of_the_corrected_fit_holds_it_and_not_the_others() -> None:
    ratios = [law.best(GOPHER).tokens_a_parameter for law in resampled()]
    low, high = interval(ratios)
    assert low < BESIROGLU.best(GOPHER).tokens_a_parameter < high
    assert high < HOFFMANN_TEX.best(GOPHER).tokens_a_parameter
    assert len(ratios) == 200


def test_an_interval_is_the_middle_of_the_values() -> None:
    assert interval(range(101)) == pytest.approx((2.5, 97.5))
    assert interval([3.0]) == (3.0, 3.0)
    assert interval([5, 1, 3], share=0.5) == (2.0, 4.0)


def test_repeated_tokens_are_worth_less_and_less() -> None:
    assert effective_tokens(100, 60) == 60
    assert effective_tokens(100, 100) == 100
    assert effective_tokens(1, 4) == pytest.approx(3.73, abs=0.01), "four epochs are nearly as good as fresh text"
    assert effective_tokens(1, 1e6) == pytest.approx(1 + 15.387756), "and no number of them is worth more than this"
    worth = [effective_tokens(1, epochs) for epochs in range(1, 60)]
    assert worth == sorted(worth)
    steps = [after - before for before, after in pairwise(worth)]
    assert steps == sorted(steps, reverse=True)


def test_with_text_enough_nothing_is_limited() -> None:
    assert limited(BESIROGLU, 1e20, 1e15) == BESIROGLU.best(1e20)


def test_with_too_little_text_it_is_repeated_and_the_loss_is_higher() -> None:
    free, scarce = BESIROGLU.best(1e20), limited(BESIROGLU, 1e20, 1e9)
    assert scarce.epochs == pytest.approx(scarce.tokens / 1e9)
    assert scarce.epochs > 4
    assert scarce.loss > free.loss
    assert math.isclose(6 * scarce.parameters * scarce.tokens, 1e20)
    assert limited(BESIROGLU, 1e20, 3e9).loss < scarce.loss


@pytest.mark.parametrize(
    ("parameters", "tokens", "said"),
    [(1e6, 1e8, 1), (56e6, 1e9, 1), (58e6, 1e9, 0), (16e9, 1e11, 0), (17e9, 1e11, 1), (1e8, 1e11, 1), (1e6, 1e9, 2)],
)
def test_what_no_run_had_is_warned_about(parameters: float, tokens: float, said: int) -> None:
    assert len(warnings_of(parameters, tokens)) == said
