"""Each section of a training's report shows the figures of its part of the record, and says what they mean."""

import html
import re
from typing import Any

import pytest

from dragoman.report.sections import (
    corpus,
    history,
    loss,
    memory,
    model,
    opening,
    predicted,
    range_test,
    settings,
    speed,
    trials,
    written,
)
from dragoman.report.training import render_training
from tests.report.sample_training import pretraining, sweep


@pytest.fixture(scope="module")
def text() -> str:
    """The words of both pages without their elements."""
    bodies = (render_training(made()).split("<main")[1] for made in (pretraining, sweep))
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", " ".join(bodies)).split()))


@pytest.mark.parametrize(
    "said",
    [
        "Pretraining · 2025-06-01",
        "bits per byte 0.652 0.640 to 0.665",
        "parameters 7.85 M 7,852,032",
        "of peak 41.2 %",
        "6,000 steps.",
        "The ring marks the fewest bits per byte",
        "All 16 evaluations",
        "1.22 GiB 1.29 GiB 1.05×",
        "20 min 00 s 19 min 29 s 0.97×",
        "4.90e15 FLOPs 4.61e15 FLOPs 0.94×",
        "tokens/s in the middle, 41",
        "together 1.19 GiB 929 MiB",
        "step 6,000",
        "2 more between",
        "heads.key and value 2",
        "documents 24,245",
        "bytes 90.4 MiB",
        "split.train.tokens 23,771,402",
        "too short 811",
        "<b>yes</b>",
        "train.optimizer muon",
        "The corpus was read 4.1 times",
        "Trial 16 is the best of 32",
        "tied=true seed=0",
        "28 complete, 2 stopped early, 2 failed",
        "the rate that was chosen, 0.0032",
        "the training diverges",
    ],
)
def test_the_pages_say(text: str, said: str) -> None:
    assert said in text


def test_tiles_are_written_by_what_they_are() -> None:
    tiles = opening.view({"tiles": {"layers": 8, "loss": 8.0, "tokens": 2.5e9, "time": "2 h", "none": None}})["tiles"]
    shown = [(tile["metric"], tile["value"]) for tile in tiles]  # type: ignore[attr-defined]
    assert shown == [("layers", "8"), ("loss", "8.000"), ("tokens", "2.50 B"), ("time", "2 h")]


def test_a_training_without_a_name_is_called_by_its_kind() -> None:
    assert opening.view({"headline": "h", "kind": "pretrain"})["name"] == "Pretraining"
    assert opening.view({"headline": "h", "kind": "other"})["name"] == "other"


def test_the_loss_stands_in_the_middle_of_its_stretch_and_gaps_are_left_out() -> None:
    assert loss.stretches({"stretch": 10, "points": [3.0, None, 2.0]}) == [(5.0, 3.0), (25.0, 2.0)]
    assert loss.stretches({"points": [3.0]}) == [(0.5, 3.0)]
    assert loss.stretches({"stretch": 0, "points": [3.0]}) == []


def test_the_best_is_the_first_of_the_lowest() -> None:
    assert loss.best([(1, 2.0), (2, 1.0), (3, 1.0)]) == (2, 1.0)
    assert loss.best([]) is None


def test_without_a_trace_the_loss_of_the_evaluations_is_drawn() -> None:
    view: Any = loss.view({"history": [{"step": 10, "loss": 3.0}, {"step": 20, "loss": 2.0}]})
    assert "Training loss from 3.000 to 2.000 nats a token" in view["charts"][0]
    assert not view["measured"]
    assert not view["rates"]
    assert loss.view({"history": [{"step": 10, "rate": 3.0}]}) is None


def test_the_schedule_is_drawn_from_its_own_trace_or_from_the_evaluations() -> None:
    given = pretraining()
    del given["rates"]
    view: Any = loss.view(given)
    assert view["rates"]
    assert "learning rate at most 0.003" in view["charts"][0]
    assert "learning rate" not in view["log"][0].split("</desc>")[1]


def test_the_loss_on_held_out_text_stands_beside_that_of_the_training() -> None:
    given = [{"step": 10, "loss": 3.0, "validation": 3.5}, {"step": 20, "loss": 2.0, "validation": 2.5}]
    view: Any = loss.view({"history": given})
    assert "held out</text>" in view["charts"][0]
    assert "2.500 on held-out text at best, at step 20 of 20" in view["charts"][0]
    view = history.view({"history": given})
    assert view["grid"].headings == ("step", "training loss", "held-out loss")
    assert view["grid"].marked == 1
    view = loss.view({"history": [{"step": 10, "validation": 3.5}]})
    assert view["held"]
    assert view["charts"][0].count('class="dot"') == 1


def test_a_short_curve_is_not_smoothed() -> None:
    view: Any = loss.view({"losses": {"points": [3.0, 2.0, 1.0]}})
    assert not view["smooth"]
    assert "faint" not in view["charts"][0]


def test_the_best_evaluation_is_marked_and_unknown_figures_get_a_column() -> None:
    view: Any = history.view(
        {"history": [{"step": 20, "bits_per_byte": 1.0}, {"step": 10, "bits_per_byte": 2.0, "my_score": 0.5}]}
    )
    assert [row[0].text for row in view["grid"].rows] == ["10", "20"]
    assert view["grid"].marked == 1
    assert view["grid"].headings == ("step", "bits per byte", "my score")
    assert not view["folded"]


def test_speed_is_drawn_from_what_there_is() -> None:
    view: Any = speed.view({"speed": [{"step": 1, "tokens_per_second": 100}, {"step": 2, "tokens_per_second": 300}]})
    assert (view["middle"], view["share"]) == ("200", "")
    view = speed.view({"speed": [{"step": 1, "fraction": 0.25}]})
    assert (view["middle"], view["share"]) == ("", "25.0")
    assert "% of the peak" in view["charts"][0]
    assert speed.view({"history": [{"step": 1, "tokens_per_second": 100}]}) is not None


def test_a_plan_needs_both_sides() -> None:
    assert predicted.view({"plan": [{"what": "memory", "predicted": 3, "unit": "bytes"}]}) is None
    view: Any = predicted.view({"plan": [{"what": "loss", "predicted": 2.0, "measured": 1.0, "unit": "nats"}]})
    assert [cell.text for cell in view["grid"].rows[0]] == ["loss", "", "2.000 nats", "1.000 nats", "0.50×"]
    view = predicted.view({"plan": [{"what": "gain", "predicted": -1.0, "measured": 1.0}]})
    assert view["grid"].rows[0][1].text == "−1.000"  # no bar and no ratio for what is below zero


@pytest.mark.parametrize(
    ("given", "forms"),
    [
        ([{"part": "weights", "bytes": 4}], ("training",)),
        ({"weights": 4, "logits": 2}, ("training",)),
        ({"full": {"weights": 4}, "lora": [{"part": "weights", "bytes": 4}]}, ("full", "lora")),
    ],
)
def test_memory_comes_in_any_of_its_forms(given: object, forms: tuple[str, ...]) -> None:
    view: Any = memory.view({"memory": given})
    assert view["grid"].headings == ("part", *forms)
    assert view["grid"].rows[0][1].text == "4 B"
    assert view["grid"].rows[-1][0].text == "together"


def test_texts_are_grouped_by_prompt_and_the_first_and_the_last_stand_open() -> None:
    rows = [{"step": step, "prompt": "p", "text": f"t{step}"} for step in reversed(range(10))]
    view: Any = written.view({"samples": [*rows, {"step": 3, "text": "alone"}, {"step": 4, "prompt": "q"}]})
    first, second = view["groups"]
    assert [sample["step"] for sample in first["samples"]] == ["step 0", "step 3", "step 6", "step 9"]
    assert len(first["folded"]) == 6
    assert (second["prompt"], len(second["samples"])) == ("", 1)
    assert written.view({"samples": {"best": []}}) is None


def test_the_corpus_card_shows_what_it_is_given() -> None:
    view: Any = corpus.view({"corpus": {"tokens": 5, "kinds": {f"k{place}": place for place in range(30)}}})
    assert [(row[0].text, row[1].text) for row in view["facts"].rows] == [("tokens", "5")]
    (kinds,) = view["grids"]
    assert kinds.caption == "Kinds"
    assert kinds.rows[0][0].text == "k29"
    assert (kinds.rows[-1][0].text, kinds.rows[-1][2].text) == ("10 others", "45")
    view = corpus.view({"corpus": {"filters": [{"name": "short", "count": 2, "examples": ["x" * 1000]}]}})
    assert view["filters"].rows[0][2].text == "2"
    assert view["examples"][0]["texts"][0].endswith("… (760 more characters)")
    assert corpus.view({"corpus": {"filters": {"short": 2}}})["grids"][0].caption == "Filters"  # type: ignore[index]


def test_settings_stay_exact_and_facts_are_written_for_people() -> None:
    given = {"rows": 1234567, "rate": 0.00031234}
    shown: Any = settings.view({"settings": given})
    assert [row[1].text for row in shown["grid"].rows] == ["1234567", "0.00031234"]
    shown = model.view({"model": given})
    assert [row[1].text for row in shown["grid"].rows] == ["1,234,567", "0.000312"]


@pytest.mark.parametrize(("higher", "best"), [(True, "2"), (False, "0")])
def test_the_record_says_which_end_is_better(higher: bool, best: str) -> None:
    given = [{"number": place, "value": float(place), "settings": {"a": place}} for place in range(3)]
    view: Any = trials.view({"trials": given, "higher": higher, "best": {"value": 1.0}})
    assert view["lower"] is not higher
    assert view["best"]["number"] == best
    assert trials.view({"trials": given})["lower"]  # type: ignore[index]  # as of a loss, where nothing is said


def test_the_best_settings_can_be_given_to_a_command() -> None:
    chosen = {"train.rate": 0.00012345678, "batch": 64.0, "tied": True, "time": "20 min"}
    view: Any = trials.view({"trials": [{"number": 3, "value": 1.0, "settings": chosen}]})
    assert view["best"]["settings"] == 'train.rate=0.00012345678 batch=64 tied=true time="20 min"'
    assert view["charts"] == []  # nothing differs between one trial and itself


def test_a_sweep_of_failures_has_no_best() -> None:
    view: Any = trials.view(
        {"trials": [{"state": "failed", "value": 1.0, "settings": {"a": place}} for place in (1, 2)]}
    )
    assert view["best"] is None
    assert view["counts"] == "2 failed"


def test_only_so_many_axes_and_lines_are_drawn() -> None:
    given = [
        {"number": number, "value": number, "settings": {f"s{place}": number * place for place in range(1, 12)}}
        for number in range(230)
    ]
    view: Any = trials.view({"trials": given})
    assert view["undrawn"] == ["s9", "s10", "s11"]
    assert view["lines"] == 30
    assert len(view["grid"].rows) == 230


def test_a_range_test_that_diverges_is_cut_at_the_top() -> None:
    points = [[10 ** (-5 + place / 20), 3.0 - min(place, 40) / 40 + (1e6 if place > 70 else 0)] for place in range(80)]
    view: Any = range_test.view({"range_test": {"points": points, "chosen": 1e-3}})
    assert view["clipped"]
    assert view["chosen"] == "0.001"
    assert "chosen 0.001" in view["charts"][0]
    assert range_test.view({"range_test": {"chosen": 1e-3}}) is None
    assert not range_test.view({"range_test": {"points": points[:60]}})["clipped"]  # type: ignore[index]


def test_a_loss_has_its_own_unit_and_what_the_objective_told_stands_below() -> None:
    given = {
        "losses": {"points": [0.7, 0.5], "unit": "nats a pair"},
        "figures": {"points": {"my_margin": [0.0, 1.0], "beta": [0.1, 0.1]}},
        "history": [{"step": 2, "my_margin": 0.8}],
    }
    view: Any = loss.view(given)
    assert "loss, nats a pair" in view["charts"][0] and "from 0.700 to 0.500 nats a pair" in view["charts"][0]
    assert len(view["small"]) == 1 and "my margin over the steps" in view["small"][0]
    assert "training from 0 to 1; held out from 0.8 to 0.8" in view["small"][0]
    bare: Any = loss.view({"losses": {"points": [0.7, 0.5], "unit": ""}})
    assert "nats" not in bare["charts"][0]
