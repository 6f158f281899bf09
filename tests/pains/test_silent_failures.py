"""Failures that usually happen in silence, each planted and each caught by its name."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.runs import all_runs
from tests.command import Said, dragoman
from tests.tiny import TOPICS, rows, write_rows


def findings(said: Said) -> dict[str, dict[str, Any]]:
    """The findings of a check by their names."""
    return {one["name"]: one for one in said.json["findings"]}


def plant(project: Path, made: list[dict[str, str]]) -> dict[str, dict[str, Any]]:
    """Check these rows."""
    write_rows(project / "rows.jsonl", made)
    return findings(dragoman("check", "--json"))


def test_test_rows_in_train_are_refused(tiny_project: Path) -> None:
    write_rows(tiny_project / "test.jsonl", [*rows(20, seed=8), *rows()[:3]])
    said = dragoman("check", "data.test=test.jsonl", "--json")
    assert said.code == 2
    found = findings(said)["overlap"]
    assert (found["severity"], found["count"]) == ("error", 3)
    assert "rows.jsonl:1:1" in found["message"]
    assert "data.overlap" in found["hint"]


def test_copies_and_near_copies_never_stand_in_two_parts(tiny_project: Path) -> None:
    twice = [row for row in rows(90, noise=0) for _ in range(2)]
    nearly = [{**row, "text": f"{row['text']} now"} for row in rows(30, seed=4, noise=0)] + rows(30, seed=4, noise=0)
    found = plant(tiny_project, [*twice, *nearly])
    assert found["duplicates"]["count"] == 90
    assert found["near-duplicates"]["count"] >= 60
    assert dragoman("prepare", "--json").code == 0
    folder = next((tiny_project / "runs").glob("prepare-*"))
    parts = [folder / "parts" / "train.jsonl", folder / "parts" / "validation.jsonl"]
    parts.append(folder / "sealed" / "part" / "examples.jsonl")
    held = [{_stem(line) for line in part.read_text().splitlines()} for part in parts]
    assert not held[0] & held[1]
    assert not held[0] & held[2]
    assert not held[1] & held[2]


def _stem(line: str) -> str:
    text: str = json.loads(line)["prompt"][0]["content"]
    return text.removesuffix(" now")


def test_a_label_that_leaks_in_the_text_is_named(tiny_project: Path) -> None:
    leaking = [{**row, "text": f"{row['text']} ref-{row['label'][:2]}x"} for row in rows(noise=0)]
    found = plant(tiny_project, leaking)
    assert found["label-in-text"]["severity"] == "warning"
    assert any(word in found["label-in-text"]["message"] for word in ("kix", "gax", "mox"))


def test_texts_that_are_cut_are_counted(tiny_project: Path) -> None:
    made = [{**row, "text": f"{row['text']} {'long ' * 60}{n}"} for n, row in enumerate(rows(60))] + rows(120, seed=2)
    found = plant(tiny_project, made)
    assert (found["cut"]["severity"], found["cut"]["count"]) == ("warning", 60)
    assert "60 of 180 texts are longer than 32 tokens" in found["cut"]["message"]
    assert "models.max_length" in found["cut"]["hint"]
    told = dragoman("train", "tuning=head", "data.near_duplicate=1.0")
    assert "cut to 32 tokens" in told.err


def test_two_labels_for_one_text_are_named(tiny_project: Path) -> None:
    made = rows(120, noise=0)
    found = plant(tiny_project, [*made, {**made[0], "label": "money"}])
    assert found["conflicting-labels"]["count"] == 1
    assert "rows.jsonl:1:1" in found["conflicting-labels"]["message"]
    assert "rows.jsonl:121:1" in found["conflicting-labels"]["message"]


def test_imbalance_that_accuracy_hides_is_named(tiny_project: Path) -> None:
    many = [row for row in rows(900, noise=0) if row["label"] == "money"]
    few = [row for row in rows(36, seed=3, noise=0) if row["label"] != "money"]
    found = plant(tiny_project, [*many, *few])
    assert "accuracy alone would hide the small labels" in found["imbalance"]["message"]
    assert "macro_f1" in found["imbalance"]["hint"]


def test_guessed_columns_are_said(tiny_project: Path) -> None:
    made = [{"remark": row["text"], "title": "x" * (n % 7 + 1), "kind": row["label"]} for n, row in enumerate(rows(90))]
    (tiny_project / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    said = dragoman("check", "--json")
    guessed = [one["message"] for one in said.json["findings"] if one["name"] == "columns"]
    assert any("kind" in text for text in guessed)
    assert any("remark" in text or "title" in text for text in guessed)
    given = dragoman("check", "data.columns.text=remark", "data.columns.label=kind", "--json")
    assert given.code == 0
    assert "columns" not in findings(given)


def test_a_test_too_small_to_prove_the_target_is_said(tiny_project: Path) -> None:
    found = findings(dragoman("check", 'scope.target.accuracy=">= 0.97"', "--json"))
    assert "cannot prove accuracy >= 0.97" in found["too-few-rows"]["message"]


def test_a_secret_in_the_data_is_named_and_not_shown(tiny_project: Path) -> None:
    secret = "AKIA" + "IOSFODNN7EXAMPLQ"
    made = rows(90)
    made[5] = {**made[5], "text": f"{made[5]['text']} key {secret} and anna@company.org"}
    write_rows(tiny_project / "rows.jsonl", made)
    said = dragoman("check", "--json")
    assert {"secret", "personal-data"} <= findings(said).keys()
    assert secret not in said.out + said.err


def test_a_second_opening_of_the_seal_is_counted_and_said(judged: Path) -> None:
    told = dragoman("judge", "head")
    assert "opened 2 times so far" in told.whole
    assert "opened 2 times so far" in dragoman("judge", "head").whole  # found again: nothing more was opened
    told = dragoman("run", "--all", 'scope.target.accuracy=">= 0.62"')
    assert "opened 3 times" in told.whole
    run = next(one for one in all_runs(judged / "runs") if one.verb == "run" and "0.62" in str(one.settings["scope"]))
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "The sealed test was opened 3 times" in page


def test_a_changed_seal_is_refused(judged: Path) -> None:
    part = next((judged / "runs").glob("prepare-*/sealed/part/examples.jsonl"))
    part.write_text(part.read_text().replace("kitchen", "garden"))
    said = dragoman("judge", "full", "--json")
    assert said.code == 2
    assert "not as it was sealed" in said.json["error"]["problem"]


def test_a_model_swapped_under_a_finished_run_is_refused(judged: Path) -> None:
    runs = {one.verb: one for one in all_runs(judged / "runs")}
    shutil.copy(
        runs["head"].folder / "model" / "model.safetensors", runs["full"].folder / "model" / "model.safetensors"
    )
    for words in (("serve", "full"), ("evaluate", "full", "data=rows.jsonl")):
        said = dragoman(*words, "--json")
        assert said.code == 2
        assert "does not match its checksum" in said.json["error"]["problem"]


def test_a_base_model_swapped_under_a_prompt_rung_is_refused(
    tiny_model: Path, tiny_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Path(shutil.copytree(tiny_model, tmp_path / "mine"))
    words = (f"models.candidates=['{mine}']", 'scope.target.accuracy=">= 0.10"')
    assert dragoman("run", *words, "--json").json["rung"] == "zero_shot"
    raw = bytearray((mine / "model.safetensors").read_bytes())
    raw[-5] ^= 1
    (mine / "model.safetensors").write_bytes(raw)
    said = dragoman("evaluate", "zero_shot", "data=rows.jsonl", "--json")
    assert said.code == 2
    assert "is not the model this run was made with" in said.json["error"]["problem"]


def test_weights_that_are_not_numbers_are_refused_by_name(tiny_model: Path, tiny_project: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    sick = Path(shutil.copytree(tiny_model, tmp_path / "sick"))
    tensors = load_file(sick / "model.safetensors")
    name = sorted(tensors)[0]
    tensors[name] = tensors[name].copy()
    tensors[name].flat[3] = float("nan")
    save_file(tensors, sick / "model.safetensors", metadata={"format": "pt"})
    said = dragoman("run", f"models.candidates=['{sick}']", "--json")
    assert said.code == 2
    assert "Traceback" not in said.err
    assert any(word in said.json["error"]["problem"] for word in ("not finite", "not a number", "NaN"))


def test_words_of_one_label_alone_do_not_count_as_leaks(tiny_project: Path) -> None:
    found = findings(dragoman("check", "--json"))
    assert len(TOPICS) == 3
    assert "label-in-text" not in found
