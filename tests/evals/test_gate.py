"""The verdict: only what is proven passes."""

import json
import math

import pytest

from dragoman.core.errors import UserError
from dragoman.core.targets import criteria
from dragoman.core.types import Estimate
from dragoman.evals.gate import judge

ASKED = criteria({"macro_f1": ">= 0.60"}, {"p95_ms": "<= 50"})
FAST = Estimate(20.0, 18.0, 25.0, 100)


def test_met_at_the_bad_end() -> None:
    verdict = judge({"macro_f1": Estimate(0.7, 0.65, 0.75, 800), "p95_ms": FAST}, ASKED)
    assert verdict.passed
    assert verdict.headline == "The scope is met: 2 of 2 criteria proven."
    assert [judged.outcome for judged in verdict.criteria] == ["met", "met"]
    assert verdict.criteria[0].sentence.startswith("macro_f1 >= 0.6: 0.7000 [0.6500, 0.7500] on 800: met")


def test_unproven_does_not_pass_and_says_what_would_prove_it() -> None:
    verdict = judge({"macro_f1": Estimate(0.62, 0.58, 0.66, 400), "p95_ms": FAST}, ASKED)
    assert not verdict.passed
    assert verdict.criteria[0].outcome == "unproven"
    assert "about 1,600 measurements would prove it" in verdict.criteria[0].sentence
    assert verdict.headline == "The scope is not met: macro_f1 unproven; 1 of 2 criteria proven."


def test_missed_and_unmeasured() -> None:
    verdict = judge({"macro_f1": Estimate(0.5, 0.4, 0.6, 100)}, ASKED)
    assert [judged.outcome for judged in verdict.criteria] == ["missed", "unmeasured"]
    assert "macro_f1 missed; p95_ms unmeasured; 0 of 2" in verdict.headline
    endless = judge({"macro_f1": Estimate(0.7, 0.65, 0.75, 9), "p95_ms": Estimate(9.0, 0.0, math.inf, 1)}, ASKED)
    assert [judged.outcome for judged in endless.criteria] == ["met", "unproven"]
    assert not endless.passed


def test_a_figure_nobody_knows() -> None:
    with pytest.raises(UserError, match="no figure named 'macrof1'") as caught:
        judge({"macro_f1": FAST}, criteria({"macrof1": "> 0.5"}, {}))
    assert "did you mean 'macro_f1'" in caught.value.hint
    with pytest.raises(UserError, match="no target"):
        judge({"macro_f1": FAST}, ())


def test_the_summary_is_json() -> None:
    summary = json.loads(json.dumps(judge({"macro_f1": Estimate(0.7, 0.65, 0.75, 800)}, ASKED).summary()))
    assert summary["passed"] is False
    assert summary["criteria"][0]["asked"] == ">= 0.6"
    assert summary["criteria"][1]["estimate"] is None
