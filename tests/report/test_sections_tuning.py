"""The sections of a tuning's page: both models metric by metric, and answer by answer."""

from typing import Any

from dragoman.report.page import render
from dragoman.report.sections import answers, paired

ESTIMATE = {"value": 0.4, "low": 0.3, "high": 0.5, "n": 20}


def row(metric: str, outcome: str, leading: bool = False) -> dict[str, Any]:
    gap = {"value": 0.2, "low": 0.1, "high": 0.3, "n": 20}
    found = {"metric": metric, "leading": leading, "before": ESTIMATE, "after": ESTIMATE, "difference": gap}
    return {**found, "p": 0.0004, "test": "randomisation", "outcome": outcome}


def test_the_leading_metric_stands_first_and_is_marked() -> None:
    view = paired.view({"paired": [row("chrf", "tie"), row("rougel", "better", True), row("answer_length", "changed")]})
    assert view is not None
    grid: Any = view["grid"]
    assert grid.marked == 0 and [line[0].text for line in grid.rows] == ["rougel", "chrf", "answer_length"]
    said = [line[-1].text for line in grid.rows]
    assert said[0].startswith("✓") and said[1].startswith("≈") and "changed" in said[2]
    assert "< 0.001" in [cell.text for cell in grid.rows[0]]


def test_both_answers_stand_side_by_side_and_endless_ones_are_named() -> None:
    found = {"group": "gained", "text": "Say <b>cat</b>.", "expected": "cat", "before": "dog dog", "after": "cat"}
    page = render({"name": "x", "verdict": "met", "answers": [{**found, "stopped": [False, True], "gain": 0.8}]})
    assert "Gained most" in page and "did not stop" in page and "&lt;b&gt;cat" in page
    assert page.count("did not stop") == 1


def test_nothing_compared_is_no_section() -> None:
    assert paired.view({}) is None and paired.view({"paired": "no list"}) is None
    assert answers.view({"answers": [{"group": "elsewhere"}]}) is None
