"""The section of what users complained about."""

from typing import Any

from dragoman.report.page import render
from dragoman.report.sections import complaints

ESTIMATE = {"value": 0.25, "low": 0.1, "high": 0.5, "n": 2}
CASE = {"text": "Is <b>it</b> hot?", "expected": "hot", "before": "cold", "now": "hot", "outcome": "fixed"}
FOUND = {
    "metric": "accuracy",
    "rows": 2,
    "before": ESTIMATE,
    "now": {**ESTIMATE, "value": 0.75},
    "difference": {**ESTIMATE, "value": 0.5},
    "outcomes": {"fixed": 1, "still wrong": 1},
    "cases": [CASE, {**CASE, "now": "cold", "outcome": "still wrong"}],
}


def test_the_cases_stand_with_both_answers_and_what_became_of_them() -> None:
    view = complaints.view({"complaints": FOUND})
    assert view is not None and view["number"] == 2
    outcomes: Any = view["outcomes"]
    assert [(row[0].text, row[0].tone, row[1].text) for row in outcomes.rows] == [
        ("fixed", "met", "1"),
        ("still wrong", "unproven", "1"),
    ]
    figures: Any = view["figures"]
    assert [row[0].text for row in figures.rows] == ["as it was answered", "as it is answered now", "difference"]
    assert figures.rows[2][1].text.startswith("+0.500")
    page = render({"name": "x", "verdict": "met", "complaints": FOUND})
    assert "What users complained about" in page and "&lt;b&gt;it" in page and "still wrong" in page


def test_without_cases_there_is_no_section() -> None:
    assert complaints.view({}) is None and complaints.view({"complaints": {"metric": "accuracy", "rows": 0}}) is None
    assert "complained" not in render({"name": "x", "verdict": "met", "complaints": None})
