"""The record of a training is made of its run alone, for every road a training takes."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.runs import Run
from dragoman.report.training import render_training
from dragoman.stages.train_record import cautions, is_training, record_of, told_learning
from tests.report.sample_alignment import aligned, scored

FACTS = {
    "best": {"loss": 0.4, "margin": 1.25, "loss_rows": [0.4]},
    "best_step": 10,
    "steps": 20,
    "planned": 30,
    "stretch": 1,
    "seconds": 1.5,
    "tokens": 900,
    "memory": 1 << 20,
    "learnt": 640,
    "weights": 64_000,
    "skipped": 1,
    "cut": 2,
    "dropped": 3,
    "history": [{"step": 10, "loss": 0.4, "margin": 1.25, "loss_rows": [0.4]}, {"step": 20, "loss": 0.5}],
    "losses": [0.7, 0.6],
    "figures": {"margin": [0.0, 1.0]},
    "learning": [["blocks.*.query", [8, 8]]],
    "tuning": {"name": "lora"},
    "base": "base",
    "project": {"train": {"steps": 20}},
}


def trained(root: Path, objective: dict[str, Any], **more: Any) -> Run:
    """A finished run of that objective."""
    settings = {
        "objective": objective,
        "tuning": {"name": "lora", "rank": 4},
        "train": {"steps": 20, "max_length": 64, "batch": 32},
    }
    return Run.begin(root, "lora", settings, {"parts": "gone"}).finish({**FACTS, **more})


def test_pairs_are_counted_in_nats_and_their_margin_is_drawn(tmp_path: Path) -> None:
    run = trained(tmp_path, {"name": "dpo", "kind": "dpo", "beta": 0.3})
    record = record_of(run)
    assert is_training(run)
    assert record["losses"]["unit"] == "nats a pair"
    assert record["history"][0] == {"step": 10, "validation": 0.4, "margin": 1.25}
    assert record["headline"] == ("Kept is step 10 of 20, with loss 0.400, margin 1.250 on rows it never learnt from.")
    assert len(record["warnings"]) == 5 and "after 20 of 30 planned steps" in " ".join(record["warnings"])
    page = render_training(record)
    assert "margin over the steps" in page and "loss, nats a pair" in page and run.id in page


def test_the_command_says_what_differs_from_what_is_usual(tmp_path: Path) -> None:
    run = trained(tmp_path, {"name": "dpo", "kind": "ipo", "beta": 0.1})
    words = shlex.split(record_of(run)["commands"][0])
    assert words[:3] == ["dragoman", "train", "model=base"]
    assert words[3:] == [
        "objective=dpo",
        "objective.kind=ipo",
        "tuning=lora",
        "tuning.rank=4",
        "train.steps=20",
        "train.max_length=64",
    ]
    assert record_of(run)["losses"]["unit"] == ""  # its squares are no nats


@pytest.mark.parametrize(
    ("gain", "kept", "said"),
    [
        ((1.21, 1.66), 50, "A reward of 0.300 before and 1.700 after on the same 64 prompts, proven better."),
        ((-0.2, 1.66), 50, "not proven better"),
        ((0.0, 0.0), 0, "Nothing was better than the model as it was: a reward of 0.300 on 64 prompts."),
    ],
)
def test_what_a_policy_proved(tmp_path: Path, gain: tuple[float, float], kept: int, said: str) -> None:
    told = aligned() | {"before": {"reward": 0.3, "kl": 0.0}, "after": {"reward": 1.7, "kl": 2.1}, "kept_step": kept}
    told["gain"] = {"value": 1.4, "low": gain[0], "high": gain[1], "n": 64}
    figures = {"reward": [0.1, 0.2], "moved": [0.1, 0.3]}
    points = [{"step": 0, "reward": 0.3}, {"step": 20, "reward": 1.7}]
    run = trained(tmp_path, {"name": "rloo"}, alignment=told, history=points, figures=figures, best={"reward": 1.7})
    record = record_of(run)
    assert said in record["headline"]
    assert set(record["figures"]["points"]) == {"moved"}  # the reward is drawn where it was held out
    page = render_training(record)
    assert 'id="alignment"' in page and 'id="loss"' in page and "could not be read" not in page


def test_a_model_that_scores_is_told_beside_the_best_rule(tmp_path: Path) -> None:
    run = trained(tmp_path, {"name": "reward"}, scorer=scored())
    record = record_of(run)
    assert record["headline"] == ("Right in 71.2% of 500 pairs it never learnt from; the best simple rule is in 63.1%.")
    assert record["tiles"]["slope"] == 0.52
    sure = {**scored(), "accuracy": {"value": 1.0, "low": 0.9, "high": 1.0, "n": 20}}
    again = trained(tmp_path / "sure", {"name": "reward"}, scorer=sure)
    assert "slope" not in record_of(again)["tiles"]
    assert 'id="scorer"' in render_training(record)


def test_other_runs_are_no_trainings(tmp_path: Path) -> None:
    assert not is_training(Run.begin(tmp_path, "prepare", {}, {}).finish({"rows": 3}))
    assert not is_training(Run.begin(tmp_path, "lora", {}, {}))


def test_few_lines_tell_what_learns_and_what_was_left_out() -> None:
    assert told_learning([("a", 1), ("b", 2)], most=1) == "a and 1 more"
    assert told_learning([("a", 1)]) == "a"
    assert cautions({"cut": 0, "dropped": 0}, 64) == []
    assert "64 tokens" in cautions({"cut": 5}, 64)[0]
