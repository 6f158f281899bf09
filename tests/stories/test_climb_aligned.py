"""A person's project goes on from answers to pairs of answers and to rewards, and sees what each rung was worth."""

import json
from pathlib import Path

import pytest

from tests.command import dragoman
from tests.writers import WORDS, write_model

PROJECT = """
[scope]
name = "said"
objective = "Say the word that was asked for, and no more."
task = "chat"
target = { exact_match = ">= 0.999" }
limits = { short_wins = ">= 0.2" }
judges = { short = "python:short.py" }
budget = { time = "60 min", memory = "8 GiB" }
[data]
source = "pairs.jsonl"
[models]
candidates = ["base"]
max_length = 96
max_tokens = 12
[ladder]
rungs = ["full", "preference", "ppo"]
all = true
trials = 1
epochs = 20
[train]
batch = 1
rate = 1e-3
[alignment]
tuning = "full"
policy = { name = "rloo", max_tokens = 8, episodes = 16, samples = 2, every = 4 }
train = { steps = 4, batch = 8 }
"""
SHORT = "def reward(prompt, answer):\n    return -float(len(answer))\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of pairs over a tiny model, with two rungs beyond the answers."""
    folder = tmp_path_factory.mktemp("climb")
    write_model(folder / "base")
    rows = [
        {
            "prompt": f"say {WORDS[row % 8]} {row}",
            "chosen": WORDS[row % 8],
            "rejected": f"{WORDS[(row + 1) % 8]} or not",
        }
        for row in range(96)
    ]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "short.py").write_text(SHORT)
    (folder / "dragoman.toml").write_text(PROJECT)
    return folder


def test_both_rungs_go_on_from_the_one_that_learnt_from_answers(place: Path) -> None:
    said = dragoman("run", "--json", folder=place)
    assert said.code == 1, said.err
    record = json.loads((place / "runs" / said.json["run"] / "run.json").read_text())["results"]
    rows = {row["rung"]: row for row in record["ladder"]}
    assert list(rows) == ["full", "preference", "ppo"]
    for name in ("preference", "ppo"):
        won = rows[name]["wins"]["judges"]["short"]
        assert rows[name]["metrics"]["exact_match"]["value"] > 0.8
        assert rows[name]["wins"]["against"] == "full" and 0 <= won["low"] <= won["value"] <= won["high"] <= 1
    assert [one["metric"] for one in record["criteria"]] == ["exact_match", "short_wins"]
    assert rows["ppo"]["metrics"]["short"]["value"] <= 0  # characters, counted down
    kinds = {path.name.split("-")[0] for path in (place / "runs").iterdir()}
    assert {"reward", "full", "preference", "ppo"} <= kinds  # no reward was named: one was learnt from the pairs
    policy = next(one for one in record["lineage"] if one["verb"] == "ppo")
    assert "reward" in policy["inputs"]


def test_the_policy_answers_by_the_name_of_its_rung(place: Path) -> None:
    said = dragoman("ask", "ppo", "say red 3", "--json", folder=place)
    assert said.code == 0, said.err


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("alignment.policy.name=sft", "sft learns from no rewards"),
        ("alignment.preference=reward", "reward makes no model that answers"),
        ("alignment.train.stpes=3", "stpes"),
        ("alignment.tuning=lroa", "lroa"),
        ("scope.judges.rougel=count:e", "a judge cannot be called 'rougel'"),
        ("scope.judges.good=python:none.py", "none.py"),
        ("alignment.reward=nowhere", "nowhere"),
    ],
)
def test_what_does_not_go_is_said_before_anything_learns(place: Path, word: str, problem: str) -> None:
    said = dragoman("run", word, folder=place)
    assert said.code == 2 and problem in said.whole, said.whole
