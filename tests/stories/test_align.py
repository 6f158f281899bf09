"""A person has pairs of answers, and aligns a model with them through the command line."""

import html
import json
import re
import shlex
from pathlib import Path

import pytest

from tests.command import dragoman
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


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of preferences over a tiny model."""
    folder = tmp_path_factory.mktemp("align")
    write_model(folder / "base")
    write_pairs(folder / "pairs.jsonl")
    (folder / "dragoman.toml").write_text(PROJECT)
    return folder


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_pairs_are_told_apart_after_dpo(place: Path, tuning: str) -> None:
    said = dragoman("train", "objective=dpo", f"tuning={tuning}", "train.epochs=2", "--json", folder=place)
    assert said.code == 0, said.err
    figures = said.json["validation"]
    assert figures["accuracy"] > 0.9 and figures["loss"] < 0.65
    assert {"margin", "chosen", "rejected"} <= set(figures)
    page = html.unescape((place / said.json["report"]).read_text(encoding="utf-8"))
    assert "margin over the steps" in page and "could not be read" not in page
    command = re.search(r"^.*(dragoman train .*)$", page, re.MULTILINE)  # as the page tells it
    assert command
    again = dragoman(*shlex.split(command[1])[1:], "--json", folder=place)
    assert again.json["run"] == said.json["run"]
    assert dragoman("report", "--json", folder=place).json["run"] == said.json["run"]


def test_a_setting_that_means_nothing_is_one_message(place: Path) -> None:
    said = dragoman("train", "objective=dpo", "objective.beta=0", folder=place)
    assert said.code == 2 and "beta cannot be 0" in said.whole


@pytest.mark.parametrize(("objective", "figure"), [("orpo", "margin"), ("kto", "moved")])
def test_other_ways_to_learn_from_pairs(place: Path, objective: str, figure: str) -> None:
    words = ("train", f"objective={objective}", "tuning=full", "train.epochs=4", "--json")
    said = dragoman(*words, folder=place)
    assert said.code == 0, said.err
    assert said.json["validation"]["accuracy"] > (0.9 if objective == "orpo" else 0.55)
    assert said.json["validation"][figure] > 0
    assert said.json["run"].startswith("preference-")


def test_thumbs_are_learnt_from_without_pairs(place: Path) -> None:
    rows = [json.loads(line) for line in (place / "pairs.jsonl").read_text().splitlines()]
    sides = [("chosen", True), ("rejected", False)]
    thumbs = [{"prompt": row["prompt"], "completion": row[side], "label": up} for row in rows for side, up in sides]
    (place / "thumbs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in thumbs))
    said = dragoman("train", "objective=kto", "data=thumbs.jsonl", "tuning=full", "--json", folder=place)
    assert said.code == 0, said.err
    assert said.json["validation"]["loss"] < 0.45 and said.json["validation"]["margin"] > 0  # before, 0.5 and 0


def test_tune_learns_from_pairs_where_it_is_told_to(place: Path) -> None:
    words = ("tune", "base", "pairs.jsonl", "objective=dpo", "max_tokens=12", "max_length=96", "train.rate=1e-3")
    said = dragoman(*words, "method=full", "train.batch=8", "--json", folder=place)
    assert said.code in (0, 1), said.err
    wrong = dragoman("tune", "base", "pairs.jsonl", "objective=ppo", folder=place)
    assert wrong.code == 2 and "tune learns from rows" in wrong.whole


def test_a_setting_that_is_said_is_another_run_even_where_it_is_the_usual_one(place: Path) -> None:
    words = ("train", "objective=rloo", "objective.reward=count:e", "objective.max_tokens=4", "objective.episodes=16")
    words += ("train.steps=2", "tuning=full", "--json")
    first, again, other = (dragoman(*words, *more, folder=place) for more in ((), (), ("train.patience=3",)))
    assert first.code == again.code == other.code == 0, other.err
    assert first.json["run"] == again.json["run"] != other.json["run"]
    page = html.unescape((place / first.json["report"]).read_text(encoding="utf-8"))
    command = re.search(r"^.*(dragoman train .*)$", page, re.MULTILINE)
    assert command
    told = dragoman(*shlex.split(command[1])[1:], "--json", folder=place)
    assert told.json["run"] == first.json["run"]


@pytest.mark.parametrize("family", ["t5", "bert"])
def test_what_is_no_decoder_learns_no_preferences(place: Path, family: str) -> None:
    write_model(place / family, family=family)
    said = dragoman("train", "objective=dpo", f"model={family}", "tuning=full", folder=place)
    assert said.code == 2 and "preferences are learnt by a decoder" in said.whole
