"""A scorer's training as a stage: how margins are judged and calibrated, and what is recorded, normalised and kept."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dragoman.core.runs import Run
from dragoman.core.types import Message
from dragoman.models.rewards import open_scorer
from dragoman.stages.train_scorer import calibration, judged
from tests.command import Said, dragoman
from tests.nn.tiny import encoder_folder

PROJECT = """
[scope]
name = "cats"
objective = "Speak of cats."
task = "chat"
target = { exact_match = ">= 0.1" }
[data]
source = "pairs.jsonl"
[models]
candidates = ["base"]
[train]
batch = 8
rate = 2e-3
max_length = 24
"""
PROMPTS = ("the mat", "a dog ran", "sat on", "the cat", "ran fast", "dogs", "a mat", "sat!", "running", "on the mat")


def pairs(count: int = 200, seed: int = 0) -> list[dict[str, str]]:
    """Of two answers the one that speaks of a cat is chosen, nine times in ten; two answers are too long to read."""
    dice, rows = np.random.default_rng(seed), []
    for place in range(count):
        other = "the dog sat on the mat" if place % 2 else "a dog ran"
        both = [f"{other.replace('dog', animal)} {'!' * int(dice.integers(0, 4))}".strip() for animal in ("cat", "dog")]
        chosen, rejected = both if dice.random() < 0.9 else both[::-1]
        rejected = "the cat " * 20 if place in (3, 4) else rejected
        rows.append({"prompt": f"{PROMPTS[place % 10]} {place}", "chosen": chosen, "rejected": rejected})
    return rows


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of preferences over an encoder."""
    folder = tmp_path_factory.mktemp("cats")
    encoder_folder("bert", folder / "base")
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pairs()))
    (folder / "dragoman.toml").write_text(PROJECT)
    return folder


@pytest.fixture(scope="module")
def said(place: Path) -> Said:
    """The training, done once."""
    told = dragoman("train", "objective=reward", "tuning=full", "train.epochs=2", "--json", folder=place)
    assert told.code == 0, told.whole
    return told


@pytest.fixture(scope="module")
def facts(place: Path, said: Said) -> dict[str, Any]:
    """Its record."""
    results: dict[str, Any] = json.loads((place / "runs" / said.json["run"] / "run.json").read_text())["results"]
    return results


def drawn(slope: float, count: int = 40_000, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Margins whose sign is drawn as often as `slope` times the margin says."""
    dice = np.random.default_rng(seed)
    apart = dice.normal(0, 2, count)
    chosen = dice.random(count) < 1 / (1 + np.exp(-slope * apart))
    return np.where(chosen, apart, -apart)


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
def test_the_slope_is_that_by_which_choices_were_drawn(slope: float) -> None:
    found = calibration(drawn(slope))
    assert found == pytest.approx(slope, rel=0.03)
    margins = drawn(slope)
    loss = [float(np.logaddexp(0, -one * margins).mean()) for one in (0.98 * found, found, 1.02 * found)]
    assert loss[1] < loss[0] and loss[1] < loss[2]  # the least surprise: it is the maximum of the likelihood


def test_where_every_margin_has_one_sign_the_slope_is_the_end_of_what_is_tried() -> None:
    assert calibration(np.array([0.1, 2.0])) == pytest.approx(100.0)
    assert calibration(np.array([-0.1, -2.0])) == pytest.approx(0.0, abs=1e-9)
    assert calibration(np.array([1e6, -1e6, 1e6])) == pytest.approx(0.0, abs=1e-3)  # no overflow


def test_a_tie_is_half_right_and_a_coin_has_ln_2() -> None:
    found = judged(np.array([1.0, 0.0, -3.0, 2.0]), [0, 1, 2, 3])
    assert found["accuracy"]["value"] == pytest.approx(2.5 / 4)
    by_hand = np.mean([math.log1p(math.exp(-one)) for one in (1.0, 0.0, -3.0, 2.0)])
    assert found["nll"]["value"] == pytest.approx(by_hand)
    assert judged(np.zeros(8), range(8))["nll"]["value"] == pytest.approx(math.log(2))
    assert judged(np.array([1e4, -1e4]), [0, 1])["nll"]["value"] == pytest.approx(5e3)


def test_pairs_of_one_prompt_are_drawn_together() -> None:
    """Each said ten times is no more proof than once: the interval is as wide."""
    margins = np.random.default_rng(0).normal(0.5, 1, 40)
    once = judged(margins, range(40))["accuracy"]
    tenfold = judged(np.repeat(margins, 10), np.repeat(np.arange(40), 10).tolist())["accuracy"]
    loose = judged(np.repeat(margins, 10), range(400))["accuracy"]
    width = [one["high"] - one["low"] for one in (once, tenfold, loose)]
    assert width[1] == pytest.approx(width[0], rel=0.15) and width[2] < 0.5 * width[0]


def test_what_is_recorded(facts: dict[str, Any]) -> None:
    told = facts["scorer"]
    assert 0.75 < told["accuracy"]["value"] <= 1.0 and told["nll"]["value"] < 0.6
    assert told["accuracy"]["low"] < told["accuracy"]["value"] and told["pairs"] == told["accuracy"]["n"]
    assert told["accuracy"]["value"] > max(
        told["baselines"][name]["accuracy"]["value"] for name in ("longer", "shorter")
    )
    assert set(told["baselines"]) == {"linear", "longer", "shorter"}
    assert told["baselines"]["linear"]["accuracy"]["value"] > 0.75
    assert 0 < told["slope"] < 100
    assert facts["dropped"] + told["too_long"] <= 2 and facts["forgetting"] is None
    assert {point["step"] for point in facts["history"]} and {"loss", "accuracy"} <= set(facts["history"][0])
    [same] = facts["parity"]
    assert same["pair"] == "trained = saved" and same["difference"] <= same["tolerance"]
    assert facts["bytes"] > 0


def test_the_saved_model_has_mean_0_and_variance_1_on_what_it_learnt_from(place: Path, facts: dict[str, Any]) -> None:
    """All rows but the two that are too long: those of training and the few of the other parts."""
    [run] = [one for one in (place / "runs").iterdir() if one.name.startswith("reward")]
    scorer = open_scorer(run / "model", "cpu")
    rows = [row for row in pairs() if len(row["rejected"]) < 60]
    prompts = [(Message("user", row["prompt"]),) for row in rows]
    chosen, rejected = (scorer.rate(prompts, [row[name] for row in rows]) for name in ("chosen", "rejected"))
    both = np.concatenate([chosen, rejected])
    assert abs(both.mean()) < 0.1 and 0.9 < both.std() < 1.1
    assert facts["scorer"]["scale"] > 0 and facts["scorer"]["reference"] <= len(both)
    assert float((chosen > rejected).mean()) > 0.75
    card = json.loads((run / "model" / "dragoman.json").read_text())
    assert card["kind"] == "scorer" and card["scale"] == facts["scorer"]["scale"]
    assert Run.open(run).finished


def test_it_is_found_again_and_says_what_it_is_for(place: Path, said: Said) -> None:
    again = dragoman("train", "objective=reward", "tuning=full", "train.epochs=2", "--json", folder=place)
    assert again.json["run"] == said.json["run"]
    plain = dragoman("train", "objective=reward", "tuning=full", "train.epochs=2", folder=place)
    assert f"dragoman train objective=rloo objective.reward={said.json['run']}" in plain.whole
    asked = dragoman("ask", said.json["run"], "hello", folder=place)
    assert asked.code == 2 and "holds no model" in asked.whole


def test_data_without_pairs_is_one_message(place: Path, tmp_path: Path) -> None:
    rows = [{"prompt": f"a {place}", "response": "the cat"} for place in range(30)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "dragoman.toml").write_text(PROJECT.replace('"base"', f'"{place / "base"}"'))
    told = dragoman("train", "objective=reward", folder=tmp_path)
    assert told.code == 2 and "none is a pair" in told.whole and "chosen and rejected" in told.whole
