"""What good enough means: comparisons are read, and an interval decides between met, unproven and missed."""

import math

import pytest

from dragoman.core.errors import UserError
from dragoman.core.targets import Criterion, criteria, parse
from dragoman.core.types import Estimate

NAN = math.nan


@pytest.mark.parametrize(
    ("text", "op", "bound"),
    [
        (">= 0.60", ">=", 0.6),
        ("<=50", "<=", 50.0),
        ("  > -0.5 ", ">", -0.5),
        ("< 1e-3", "<", 0.001),
        (">= 80 %", ">=", 0.8),
        ("<=2.5%", "<=", 0.025),
    ],
)
def test_comparisons(text: str, op: str, bound: float) -> None:
    criterion = parse("metric", text)
    assert (criterion.op, criterion.bound) == (op, pytest.approx(bound))


@pytest.mark.parametrize(
    "text", ["", "0.8", "=> 0.8", "== 0.8", ">=", ">= high", ">= 0.8 0.9", ">= nan", ">= inf", "≥ 0.8"]
)
def test_what_is_no_comparison_is_refused_with_its_place_and_an_example(text: str) -> None:
    with pytest.raises(UserError) as told:
        parse("macro_f1", text)
    assert told.value.problem == f'scope.target.macro_f1 cannot be "{text}"'
    assert 'macro_f1 = ">= 0.80"' in told.value.hint
    with pytest.raises(UserError, match=r"^scope\.limits\.p95_ms cannot be"):
        parse("p95_ms", text, "limit")


@pytest.mark.parametrize(
    ("text", "value", "low", "high", "outcome"),
    [
        (">= 0.6", 0.7, 0.65, 0.75, "met"),
        (">= 0.6", 0.6, 0.6, 0.6, "met"),
        ("> 0.6", 0.6, 0.6, 0.6, "missed"),
        (">= 0.6", 0.62, 0.58, 0.66, "unproven"),
        ("> 0.6", 0.62, 0.6, 0.66, "unproven"),
        (">= 0.6", 0.59, 0.55, 0.63, "missed"),
        ("<= 50", 40, 30, 45, "met"),
        ("<= 50", 50, 50, 50, "met"),
        ("< 50", 50, 50, 50, "missed"),
        ("<= 50", 48, 40, 52, "unproven"),
        ("< 50", 48, 40, 50, "unproven"),
        ("<= 50", 51, 40, 60, "missed"),
        (">= 0.6", NAN, NAN, NAN, "missed"),
        ("<= 50", NAN, NAN, NAN, "missed"),
        (">= 0.6", 0.9, NAN, NAN, "unproven"),
        ("<= 50", 1, NAN, NAN, "unproven"),
        (">= 80 %", 0.85, 0.81, 0.9, "met"),
    ],
)
def test_outcomes(text: str, value: float, low: float, high: float, outcome: str) -> None:
    assert parse("metric", text).outcome(Estimate(value, low, high, 100)) == outcome


def test_targets_come_before_limits_and_know_what_they_are() -> None:
    found = criteria({"macro_f1": ">= 0.6"}, {"p95_ms": "<= 50", "forgetting": "<= 5 %"})
    assert [(one.metric, one.kind, one.higher) for one in found] == [
        ("macro_f1", "target", True),
        ("p95_ms", "limit", False),
        ("forgetting", "limit", False),
    ]
    assert [one.asked for one in found] == [">= 0.6", "<= 50", "<= 0.05"]


def test_what_was_asked_reads_back() -> None:
    for op in (">=", "<=", ">", "<"):
        asked = Criterion("metric", op, 0.123).asked  # type: ignore[arg-type]
        assert (parse("metric", asked).op, parse("metric", asked).bound) == (op, 0.123)
