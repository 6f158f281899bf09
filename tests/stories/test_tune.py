"""`dragoman tune` and a ladder of a model that writes: from a file to a proof, with what was learnt kept and served."""

import json
from pathlib import Path

import pytest

from dragoman.core.runs import Run, find
from tests.command import Said, dragoman
from tests.writers import write_model, write_rows

LOOP = ("train.device=cpu", "train.precision=fp32", "train.batch=8", "max_tokens=8", "max_length=64")
QUICK = (*LOOP, "train.epochs=12", "train.rate=3e-3", "train.average=0.0", "objective.pack=false")


LADDER = """
[ladder]
rungs = ["zero_shot", "few_shot", "chain_of_thought", "full"]
trials = 1
[objective]
pack = false
"""


def write_project(file: Path, train: str, more: str = "") -> None:
    """A project of the model and the rows, with these settings of the loop."""
    table = """
[scope]
name = "say it"
task = "chat"
target = { exact_match = ">= 0.60" }
budget = { memory = "4 GiB", time = "10 min" }
[data]
source = "rows.jsonl"
[models]
candidates = ["base"]
max_length = 64
max_tokens = 8
[train]
device = "cpu"
precision = "fp32"
average = 0.0
"""
    file.write_text(f"{table}{train}\n{more}", encoding="utf-8")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that knows nothing and rows to learn."""
    folder = tmp_path_factory.mktemp("tune")
    write_model(folder / "base")
    write_rows(folder / "rows.jsonl")
    return folder


@pytest.fixture(scope="module")
def tuned(place: Path) -> Said:
    """The whole way."""
    return dragoman("tune", "base", "rows.jsonl", *QUICK, "--json", folder=place)


def test_the_plan_is_shown_before_anything_is_trained(place: Path) -> None:
    said = dragoman("tune", "base", "rows.jsonl", *LOOP, "runs=dry", "--dry", "--json", folder=place)
    assert said.code == 0, said
    plan = said.json
    assert (plan["task"], plan["objective"], plan["method"]) == ("chat", "sft", "full")
    assert {one["name"] for one in plan["methods"]} == {"full", "lora", "qlora"}
    assert plan["rows"] == {"train": 67, "validation": 15, "test": 14} or sum(plan["rows"].values()) == 96
    assert not list((place / "dry").glob("full-*"))


def test_the_tuned_model_is_proven_better_on_rows_neither_has_seen(place: Path, tuned: Said) -> None:
    assert tuned.code == 0, tuned
    found = tuned.json
    assert found["verdict"] == "better" and "proven better than the untouched model" in found["headline"]
    assert found["metrics"]["stopped"]["value"] == 1.0 and found["base"]["stopped"]["value"] < 0.5
    assert found["comparisons"]["rougel"]["better"] == "b"
    assert found["forgetting"]["drop"]["n"] > 1
    assert all(one["same_answers"] and one["difference"] <= one["tolerance"] for one in found["parity"])
    page = (place / found["report"]).read_text(encoding="utf-8")
    assert "Before against after" in page and "Both answers" in page


def test_the_same_command_finds_everything_again(place: Path, tuned: Said) -> None:
    again = dragoman("tune", "base", "rows.jsonl", *QUICK, "--json", folder=place)
    assert again.json["run"] == tuned.json["run"] and again.json["metrics"] == tuned.json["metrics"]
    assert len(list((place / "runs").glob("full-*"))) == 1


def test_the_template_trained_with_is_saved_and_written_with(place: Path, tuned: Said) -> None:
    model = Path(tuned.json["model"])
    settings = json.loads((place / model / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert "### Response:" in settings["chat_template"]
    said = dragoman("generate", str(model), "prompt=say dog 200", "max_tokens=8", "--json", folder=place)
    assert said.code == 0 and "dog" in said.out, said


def test_it_is_asked_as_it_was_measured(place: Path, tuned: Said) -> None:
    one = dragoman("ask", tuned.json["tuned"], "say dog 201", "runs=runs", folder=place)
    assert one.code == 0 and one.out.splitlines()[0] == "dog", one
    several = dragoman("ask", tuned.json["tuned"], "runs=runs", "--json", folder=place, said="say sun 7\nsay cat 9\n")
    assert [row["answer"] for row in several.json["answers"]] == ["sun", "cat"]
    assert all(row["finish"] == "stop" for row in several.json["answers"])


def test_the_run_is_evaluated_like_any_other(place: Path, tuned: Said) -> None:
    write_rows(place / "more.jsonl", 16)
    said = dragoman("evaluate", tuned.json["tuned"], "data=more.jsonl", "runs=runs", "--json", folder=place)
    assert said.code == 0, said
    assert said.json["metrics"]["exact_match"]["value"] >= 0.6


def test_an_adapter_beside_the_model_answers_alike(place: Path) -> None:
    words = ("method=lora", "runs=thin", "tuning.rank=4")
    said = dragoman("tune", "base", "rows.jsonl", *QUICK, *words, "--json", folder=place)
    assert {one["pair"] for one in said.json["parity"]} == {"trained = merged", "trained = saved", "trained = adapter"}
    run = find(place / "thin", said.json["tuned"])
    config = json.loads((run.folder / "adapter" / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["peft_type"] == "LORA" and config["task_type"] == "CAUSAL_LM" and config["r"] == 4


def test_an_encoder_is_told_that_it_cannot_write(place: Path) -> None:
    said = dragoman("tune", "builtin:minilm", "rows.jsonl", "task=chat", "runs=no", folder=place)
    assert said.code == 2 and "an encoder reads texts and writes none" in said.err


def test_a_ladder_of_a_model_that_writes(place: Path) -> None:
    write_project(place / "dragoman.toml", "batch = 8\nepochs = 12\nrate = 3e-3", LADDER)
    said = dragoman("run", ".", "runs=ladder", folder=place)
    assert said.code in (0, 1), said
    record = Run.open(place / "ladder" / said.json["run"]).results
    climbed = [row["rung"] for row in record["ladder"]]
    assert climbed == ["zero_shot", "few_shot", "chain_of_thought", "full"]
    assert record["ladder"][0]["estimate"]["value"] < record["ladder"][-1]["estimate"]["value"]
    assert record["rung"] == "full" and record["test"]["openings"] == 1


def test_quality_against_rank(place: Path) -> None:
    write_project(place / "ranks.toml", "epochs = 2\nrate = 3e-3")
    words = ("rank=1,4", "method=grid", "seeds=2", "runs=ranks", "--json")
    said = dragoman("sweep", "ranks.toml", *words, folder=place)
    assert said.code == 0, said
    assert said.json["best"]["settings"]["tuning.rank"] in (1, 4) and said.json["best"]["again"]["n"] == 2


def test_a_smaller_model_learns_a_teachers_answers(place: Path, tuned: Said) -> None:
    teacher = place / tuned.json["model"]
    write_project(place / "pupil.toml", "steps = 4")
    words = ("tuning=full", "objective=distill_text", f"objective.teacher={teacher}", "objective.max_tokens=8")
    said = dragoman("train", "pupil.toml", *words, "runs=pupil", "--json", folder=place)
    assert said.code == 0, said
    kept = (place / "pupil" / said.json["run"] / "teacher" / "answers.jsonl").read_text(encoding="utf-8")
    assert len(kept.splitlines()) >= 60


def test_several_sets_are_mixed(place: Path) -> None:
    write_rows(place / "other.jsonl", 40)
    (place / "mix.toml").write_text('[first]\nsource = "rows.jsonl"\n[second]\nsource = "other.jsonl"\n')
    words = ("task=chat", "method=full", "objective.cap=30", "train.steps=3", *LOOP, "runs=mixed", "--json")
    said = dragoman("tune", "base", "mix.toml", *words, folder=place)
    assert said.code in (0, 1), said
