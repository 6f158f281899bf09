"""Each section shows the figures of its part of the record, rounded as they should be, and judges them in words."""

import html
import re
from typing import Any

import pytest

from dragoman.report.page import render
from dragoman.report.sections import (
    calibration,
    data,
    forgetting,
    ladder,
    lineage,
    parity,
    plan,
    samples,
    settings,
    verdict,
)
from dragoman.report.sections import help as advice
from tests.report.sample import record


@pytest.fixture(scope="module")
def text() -> str:
    """The words of the page without its elements."""
    body = render(record()).split("<main")[1]
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", body).split()))


@pytest.mark.parametrize(
    "said",
    [
        "✗ Not met",
        "measured on 902 sealed rows, opened once.",
        "macro_f1 target ≥ 0.60",
        "0.672 [0.643, 0.701]",
        "14.4 ms [13.9, 15.2]",
        "0.6996 [0.6716, 0.7276]",  # three digits would round the value up to the bound it misses
        "≈ unproven",
        "✗ missed",
        "+0.056 [+0.035, +0.077]",
        "not proven better than lora",
        "< 0.001",
        "≥ 0.029",
        "3 min 04 s",
        "1,893 MB",
        "planned 1,704 MB, 1.11×",
        "37 rows are suspected.",
        "0.061 [0.047, 0.075]",
        "A perfectly calibrated model would show 0.027",
        "3.1e−07",
        "1,520 more characters",
        "machine.cpu x86-64, 2 cores",
        "sha256 " + "0a3f" * 16,
        "dragoman run dragoman.toml",
        "Label about 4,000 more rows",
        "Some of what the model could do before is lost.",
    ],
)
def test_the_page_says(text: str, said: str) -> None:
    assert said in text


def test_sealed_rows_that_were_not_opened_measured_nothing() -> None:
    html = render({"name": "x", "verdict": "none", "test": {"rows": 902, "openings": 0}})
    assert '<p class="proof">902 sealed rows, not opened.</p>' in html
    assert "The sealed rows were not opened." in render({"name": "x", "verdict": "none", "test": {"openings": 0}})


def test_a_second_opening_is_a_warning() -> None:
    given = record() | {"test": {"rows": 10, "openings": 3}}
    assert "opened 3 times" in render(given)
    assert "a little less sealed" in render(given)
    assert "a little less sealed" not in render(record())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("met", "lora meets what was asked: macro_f1 0.672 [0.643, 0.701], asked ≥ 0.60"),
        ("not_met", "Not proven: forgetting ≤ 0.05, accuracy ≥ 0.70."),
        ("none", "No rung of the ladder is proven to meet the target"),
        ("no_adaptation_needed", "The model as it is meets what was asked"),
    ],
)
def test_a_missing_headline_is_made_from_the_criteria(name: str, words: str) -> None:
    head = verdict.view(record() | {"headline": None, "verdict": name})
    assert words in str(head["headline"])


def test_the_target_line_belongs_to_the_metric_that_is_drawn() -> None:
    given = record()
    assert "target 0.600" in render(given)
    assert "target 0.600" not in render(given | {"target": {"metric": "accuracy", "bound": 0.6}, "help": None})


def test_a_rung_without_a_time_is_said_and_not_drawn() -> None:
    given = record()
    given["ladder"][1]["seconds"] = None
    view = ladder.view(given)
    assert view is not None
    assert view["undrawn"] == ["few_shot"]


def test_trials_stand_best_first_and_those_without_a_score_last() -> None:
    given = record()
    given["ladder"][3]["trials"] = [{"score": 0.0}, {"score": None}, {"score": 0.5}]
    scores = [row[1].text for row in ladder.view(given)["trials"][0]["grid"].rows]  # type: ignore[index]
    assert scores == ["0.500", "0.000", "–"]
    given["target"]["op"] = "<="
    scores = [row[1].text for row in ladder.view(given)["trials"][0]["grid"].rows]  # type: ignore[index]
    assert scores == ["0.000", "0.500", "–"]


def test_columns_that_nobody_filled_are_left_out() -> None:
    bare = {"ladder": [{"rung": "head", "metric": "f1", "estimate": {"value": 0.5}, "seconds": 2}]}
    view: Any = ladder.view(bare)
    assert view["grid"].headings == ("rung", "quality", "cost")


def test_help_shows_the_curve_and_takes_samples_of_either_form() -> None:
    view: Any = advice.view(record())
    assert not view["met"]
    assert advice.view(record() | {"verdict": "met"})["met"]  # type: ignore[index]
    assert len(view["charts"]) == 2
    assert view["suspects"][0]["text"] == "Open a file <readonly>."
    assert "probability = 0.97" in view["suspects"][0]["note"]
    assert advice.view({"help": {"noise": {"samples": ["a text"]}}})["suspects"][0]["text"] == "a text"  # type: ignore[index]


def test_a_plan_needs_both_sides() -> None:
    assert plan.view({"ladder": [{"rung": "head", "predicted": {"memory_mb": 3}}]}) is None
    view: Any = plan.view({"ladder": [{"rung": "a", "predicted": {"seconds": 0}, "measured": {"seconds": 3}}]})
    assert view["grid"].rows[0][-1].note == "planned 0 s"  # no ratio to nothing


@pytest.mark.parametrize(
    ("drop", "said"),
    [
        ({"value": 0.03, "low": 0.01, "high": 0.05}, "is lost"),
        ({"value": 0.01, "low": -0.01, "high": 0.03}, "No loss is proven"),
        ({"value": -0.03, "low": -0.05, "high": -0.01}, "better than before"),
    ],
)
def test_forgetting_is_judged_by_its_interval(drop: dict[str, float], said: str) -> None:
    assert said in str(forgetting.view({"forgetting": {"drop": drop}})["said"])  # type: ignore[index]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"difference": 1e-6, "tolerance": 1e-5, "same_answers": True}, "✓ equal"),
        ({"difference": 1e-4, "tolerance": 1e-5, "same_answers": True}, "✗ broken"),
        ({"difference": 1e-6, "tolerance": 1e-5, "same_answers": False}, "✗ broken"),
        ({"difference": None, "tolerance": 1e-5, "same_answers": True}, "≈ not measured"),
    ],
)
def test_parity_is_broken_by_a_difference_or_another_answer(row: dict[str, object], said: str) -> None:
    view: Any = parity.view({"parity": [row | {"pair": "a = b"}]})
    assert view["grid"].rows[0][-1].text == said


def test_calibration_is_judged_against_chance() -> None:
    assert "larger" in str(calibration.view(record())["judged"])  # type: ignore[index]
    assert calibration.view({"calibration": {"bins": [{"confidence": 0.5, "accuracy": 0.5, "count": -2}]}}) is None
    view: Any = calibration.view({"calibration": {"ece": {"value": 0.02, "low": 0.01, "high": 0.03}, "null": 0.02}})
    assert "no larger" in view["judged"]


def test_a_long_sample_is_cut_and_the_rest_can_be_unfolded() -> None:
    view: Any = samples.view({"samples": {"worst": [{"text": "ab" * 20_000, "expected": "x", "answer": "y"}]}})
    shown = view["groups"][0]["samples"][0]
    assert len(shown["text"]) + len(shown["rest"]) == 20_480
    assert shown["left"] == "39,520 more characters"
    assert shown["lost"] == "19,520 more characters are not shown"
    assert shown["confidence"] == "–"


def test_a_sample_is_right_or_wrong_by_sign() -> None:
    view: Any = samples.view({"samples": {"best": [{"text": "t", "expected": "x", "answer": "x"}]}})
    assert view["groups"][0]["samples"][0]["right"]


def test_the_rarest_labels_are_counted_where_they_are_not_shown() -> None:
    labels = {f"label {place}": place + 1 for place in range(60)}
    view: Any = data.view({"data": {"splits": {"train": {"rows": 1830, "labels": labels}}}})
    assert len(view["balance"].rows) == 40
    assert view["hidden"] == 20
    assert view["balance"].rows[0][0].text == "label 59"


def test_nested_settings_of_the_machine_become_lines() -> None:
    view: Any = lineage.view({"environment": {"machine": {"cpu": {"cores": 2}}, "seed": 0, "gpu": None}})
    assert [(row[0].text, row[1].text) for row in view["grid"].rows] == [("machine.cpu.cores", "2"), ("seed", "0")]


def test_the_signature_of_a_figure_stands_behind_the_settings() -> None:
    view: Any = settings.view({"settings": {"rank": 8}, "signatures": {"bleu": "nrefs:1|case:mixed"}})
    assert [(row[0].text, row[1].text) for row in view["grid"].rows] == [
        ("rank", "8"),
        ("signature of bleu", "nrefs:1|case:mixed"),
    ]
