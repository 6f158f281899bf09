"""The section of a policy: its reward against distance, its alarms, the state gone back to, both answers."""

import html
import re
from typing import Any

import pytest

from dragoman.report.sections import alignment, ladder
from dragoman.report.training import render_training
from tests.report.sample_alignment import aligned


def shown(told: dict[str, Any]) -> str:
    """The words of the page, without those of its elements."""
    page = render_training({"name": "x", "headline": "h", "alignment": told})
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", page.split("<main")[1]).split()))


@pytest.mark.parametrize(
    "said",
    [
        "changed by +1.430 [+1.210, +1.660] on 64 prompts. Kept is step 50 of 200, 2.10 nats an answer",
        "It ended early: reward-hacking.",
        "reward-hacking 70 the reward rose from 1.69",
        "mode-collapse 130",
        "held-out reward of the best of n: 1.040 at 0.00, at most 1.900 at 1.10, 0.640 at 2.13",
        "8 1.204 2.283 1.900",
        "an alarm rang at step 70",
        "loss on general text, nats a token over the steps",
        "<b>park</b>",
        "after 2.610",
        "gain −0.300",
        "more characters",
    ],
)
def test_what_the_page_says(said: str) -> None:
    assert said in shown(aligned())


def test_a_run_without_alarms_says_so_and_one_that_never_looked_does_not() -> None:
    quiet = {**aligned(), "alarms": []}
    assert "No alarm rang." in shown(quiet) and "A ring" not in shown(quiet)
    assert "No alarm rang." not in shown({key: value for key, value in quiet.items() if key != "alarms"})


def test_a_policy_that_never_got_better_is_said_to_be_the_model_as_it_was() -> None:
    assert "Kept is the model as it was" in shown({**aligned(), "kept_step": 0})


def test_a_kl_below_0_is_drawn_at_0_and_nothing_at_all_is_no_section() -> None:
    points = [{"step": step, "kl": kl, "reward": 1.0 + step} for step, kl in enumerate((-0.01, 0.04, 0.25))]
    view = alignment.view({"alignment": {"history": points}})
    assert view is not None and not view["alarms"] and "1.000 at 0.00" in str(view["far"])
    assert alignment.view({}) is None
    assert alignment.view({"alignment": {"history": [{"step": 0, "kl": 0.0, "reward": 1.0}], "alarms": []}}) is None


def test_a_ladder_tells_whose_answers_were_preferred() -> None:
    won = {"value": 0.62, "low": 0.55, "high": 0.69, "n": 200}
    step = {"rung": "preference", "wins": {"against": "lora", "judges": {"harmless": won}}}
    view = ladder.view({"ladder": [step, {"rung": "ppo", "note": "needs more time"}]})
    assert view is not None
    notes = dict(view["notes"])  # type: ignore[call-overload]
    assert "rows won over lora" in notes["preference"] and "by harmless" in notes["preference"]
    assert "0.62" in notes["preference"] and notes["ppo"] == "needs more time"
