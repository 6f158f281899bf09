"""A person has pairs of answers, trains a model that scores answers with them, and a policy with that model."""

import html
import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.command import Said, dragoman, spawn
from tests.writers import write_model, write_pairs

PROJECT = """
[scope]
name = "said"
objective = "Say the word that was asked for, and no more."
task = "chat"
target = { exact_match = ">= 0.1" }
[data]
source = "pairs.jsonl"
[models]
candidates = ["base"]
[train]
batch = 8
rate = 1e-3
max_length = 96
"""
POLICY = ("objective=rloo", "objective.episodes=8", "objective.samples=2", "objective.max_tokens=6", "train.steps=2")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of preferences over a tiny model that writes: what was chosen is short."""
    folder = tmp_path_factory.mktemp("reward")
    write_model(folder / "base")
    write_pairs(folder / "pairs.jsonl")
    (folder / "dragoman.toml").write_text(PROJECT)
    return folder


@pytest.fixture(scope="module")
def scored(place: Path) -> Said:
    """A scorer, trained."""
    said = dragoman("train", "objective=reward", "tuning=lora", "train.epochs=3", "--json", folder=place)
    assert said.code == 0, said.whole
    return said


def record(place: Path, run: str) -> dict[str, Any]:
    """What a run found."""
    found: dict[str, Any] = json.loads((place / "runs" / run / "run.json").read_text())["results"]
    return found


def test_a_scorer_is_trained_and_its_page_says_what_it_must_beat(place: Path, scored: Said) -> None:
    assert scored.json["validation"]["accuracy"] > 0.9 and scored.json["validation"]["loss"] < 0.4
    assert scored.json["run"].startswith("reward-")
    page = html.unescape((place / scored.json["report"]).read_text(encoding="utf-8"))
    assert "shorter" in page and "longer" in page and "could not be read" not in page
    told = record(place, scored.json["run"])["scorer"]
    assert told["accuracy"]["value"] > 0.9 and told["baselines"]["longer"]["accuracy"]["value"] < 0.1
    assert dragoman("report", "--json", folder=place).json["run"] == scored.json["run"]


def test_a_policy_learns_from_it_by_the_name_of_its_run(place: Path, scored: Said) -> None:
    run = scored.json["run"]
    said = dragoman("train", *POLICY, f"objective.reward={run}", "tuning=full", "--json", folder=place)
    assert said.code == 0, said.whole
    told = record(place, said.json["run"])
    assert len(told["losses"]) == 2
    assert {"reward", "kl", "length"} <= set(told["history"][-1])
    assert abs(told["alignment"]["before"]["reward"]) < 10  # in units of the spread of answers it learnt from


def test_what_scores_nothing_is_one_message(place: Path, scored: Said) -> None:
    policy = next(one.name for one in (place / "runs").iterdir() if not one.name.startswith(("reward", "prepare")))
    for spec, message in ((policy, "holds no model that scores answers"), ("rewart", "there is no run 'rewart'")):
        said = dragoman("train", *POLICY, f"objective.reward={spec}", "tuning=full", folder=place)
        assert said.code == 2 and message in said.whole, said.whole
    said = dragoman("train", "objective=reward", "objective.centring=-1", folder=place)
    assert said.code == 2 and "centring cannot be" in said.whole


@pytest.mark.slow
def test_a_policy_killed_in_the_middle_of_its_rounds_ends_with_the_same_bytes(place: Path, tmp_path: Path) -> None:
    words = ("train", "objective=ppo", "objective.reward=count:e", "objective.episodes=16", "objective.max_tokens=6")
    words += ("objective.every=1", "train.batch=8", "train.steps=48", "tuning=full", "train.rate=1e-3", "--json")
    words += ("objective.kl_budget=0",)
    for name in ("whole", "killed"):
        shutil.copytree(place, tmp_path / name, ignore=shutil.ignore_patterns("runs"))
    whole = dragoman(*words, folder=tmp_path / "whole")
    assert whole.code == 0, whole.whole
    for reached in (8, 24):
        with spawn(*words, folder=tmp_path / "killed") as running:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and running.poll() is None:
                kept = (tmp_path / "killed" / "runs").glob("ppo-*/training/*-[0-9]*")
                if max((int(one.name[-6:]) for one in kept if one.name[-6:].isdigit()), default=0) >= reached:
                    break
                time.sleep(0.02)
            os.kill(running.pid, signal.SIGKILL)
    said = dragoman(*words, folder=tmp_path / "killed")
    assert said.code == 0 and said.json["run"] == whole.json["run"], said.whole
    assert "going on from step" in said.err
    one, other = (tmp_path / name / "runs" / said.json["run"] / "model" for name in ("whole", "killed"))
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
