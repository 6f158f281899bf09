"""A person's project goes on from answers to pairs of answers and to rewards, and sees what each rung was worth."""

import json
from pathlib import Path

import pytest

from tests.command import dragoman
from tests.writers import write_model, write_pairs

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
    write_pairs(folder / "pairs.jsonl")
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
        ("alignment.policy.second=regex:(", "cannot be used"),
        ("scope.judges.good=length:long", "is no rule"),
        ('models.candidates=["written"]', "rungs of decoders"),
    ],
)
def test_what_does_not_go_is_said_before_anything_learns(place: Path, word: str, problem: str) -> None:
    if not (place / "written").exists():
        write_model(place / "written", family="t5")
    said = dragoman("run", word, folder=place)
    assert said.code == 2 and problem in said.whole, said.whole


def test_a_run_is_measured_from_elsewhere_by_the_judges_of_its_project(place: Path, tmp_path: Path) -> None:
    words = (f"project={place}", f"data={place / 'pairs.jsonl'}", "data.rows=8", "--json")
    said = dragoman("evaluate", "preference", *words, folder=tmp_path)
    assert said.code in (0, 1), said.whole
    assert {"short", "short_wins"} <= said.json["metrics"].keys()


def test_a_judge_may_be_what_is_aimed_at(place: Path) -> None:
    write_model(place / "second", seed=1)
    changed = PROJECT.replace('exact_match = ">= 0.999"', 'short = ">= 5"').replace('short_wins = ">= 0.2"', "")
    changed = changed.replace('["base"]', '["base", "second"]').replace('"full", "preference", "ppo"', '"full"')
    (place / "aimed.toml").write_text(changed.replace("epochs = 20", "epochs = 1"))
    said = dragoman("run", "aimed.toml", "--json", folder=place)
    assert said.code == 1, said.whole
    record = json.loads((place / "runs" / said.json["run"] / "run.json").read_text())["results"]
    assert record["ladder"][0]["metric"] == "short"


def test_thumbs_without_a_judge_are_learnt_from_and_not_compared(place: Path) -> None:
    rows = [json.loads(line) for line in (place / "pairs.jsonl").read_text().splitlines()]
    sides = [("chosen", True), ("rejected", False)]
    thumbs = [{"prompt": row["prompt"], "completion": row[side], "label": up} for row in rows for side, up in sides]
    (place / "thumbs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in thumbs))
    changed = PROJECT.replace("pairs.jsonl", "thumbs.jsonl").replace("epochs = 20", "epochs = 1")
    lines = [line for line in changed.splitlines() if not line.startswith(("limits", "judges"))]
    (place / "thumbs.toml").write_text("\n".join(lines).replace("[alignment]", '[alignment]\npreference = "kto"'))
    said = dragoman("run", "thumbs.toml", "--json", folder=place)
    assert said.code == 1, said.whole
    record = json.loads((place / "runs" / said.json["run"] / "run.json").read_text())["results"]
    rungs = {row["rung"]: row for row in record["ladder"]}
    assert set(rungs) == {"full", "preference"} and rungs["preference"]["wins"]["judges"] == {}
