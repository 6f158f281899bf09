"""The section of a model that scores answers: how often it prefers as people did, beside simple rules."""

import html
import re
from typing import Any

import pytest

from dragoman.report.sections import scorer
from dragoman.report.training import render_training
from tests.report.sample_alignment import scored


def shown(told: dict[str, Any]) -> str:
    """The words of the page, without those of its elements."""
    page = render_training({"name": "x", "headline": "h", "scorer": told})
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", page.split("<main")[1]).split()))


@pytest.mark.parametrize(
    "said",
    [
        "It prefers as people did 71.2 % [68.2, 74.2] on 500 pairs that taught nothing, clearly more often than"
        " the best simple rule, a linear model of words: 63.1 % [60.1, 66.1].",
        "this model how often this model is right 71.2 % [68.2, 74.2]",
        "0.561 [0.541, 0.581]",
        "the shorter one",
        "0.693 for a coin",
        "0.52 times as wide: it is too sure.",
        "over 2,000 answers of training: they were 1.31 on average, with a spread of 2.07. 12 pairs were too long",
    ],
)
def test_what_the_page_says(said: str) -> None:
    assert said in shown(scored())


def test_no_difference_is_claimed_where_intervals_meet_and_a_better_rule_is_said_to_be_better() -> None:
    told = scored()
    near = {**told, "baselines": {"linear": {"accuracy": {"value": 0.69, "low": 0.66, "high": 0.72, "n": 500}}}}
    assert "no difference can be told" in shown(near)
    above = {**told, "baselines": {"longer": {"accuracy": {"value": 0.9, "low": 0.88, "high": 0.92, "n": 500}}}}
    assert "clearly less often than a simple rule, the longer one: 90.0 % [88.0, 92.0]. Use the rule." in shown(above)


def test_without_rules_a_coin_is_what_it_must_beat() -> None:
    assert "better than a coin." in shown({**scored(), "baselines": {}})
    weak = {"accuracy": {"value": 0.52, "low": 0.47, "high": 0.57, "n": 500}}
    assert "52.0 % [47.0, 57.0], not proven better than a coin." in shown(weak)


@pytest.mark.parametrize(
    ("slope", "said"), [(1.1, "about how sure it may be"), (2.0, "not sure enough"), (0.5, "too sure")]
)
def test_calibration_is_told_in_words(slope: float, said: str) -> None:
    assert said in shown({**scored(), "slope": slope})


def test_margins_of_one_sign_have_no_slope_and_nothing_measured_is_no_section() -> None:
    right = {"value": 1.0, "low": 0.78, "high": 1.0, "n": 14}
    assert "cannot be told" in shown({**scored(), "accuracy": right, "slope": 77.0})
    assert scorer.view({}) is None and scorer.view({"scorer": {"slope": 1.0}}) is None
