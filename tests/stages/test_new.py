"""A project to start from, by what the data hold; and what check and prepare say of one of preferences."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command import dragoman
from tests.writers import WORDS, write_model

BASE = 'models.candidates=["../base"]'


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def pairs(count: int = 48) -> list[dict[str, Any]]:
    return [
        {"prompt": f"say {WORDS[n % 8]} {n}", "chosen": WORDS[n % 8], "rejected": f"{WORDS[(n + 1) % 8]} or not"}
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new")
    write_model(folder / "base")
    written(folder / "pairs.jsonl", pairs())
    assert dragoman("new", "mine", "data=pairs.jsonl", folder=folder).code == 0
    return folder


@pytest.mark.parametrize(
    ("row", "shape"),
    [
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, "preference"),
        ({"prompt": "a", "responses": ["b", "c"], "scores": [1, 2]}, "ranked"),
        ({"prompt": "a", "completion": "b", "label": True}, "thumbs"),
        ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}, "chat"),
    ],
)
def test_answers_make_a_project_of_chat(tmp_path: Path, row: dict[str, Any], shape: str) -> None:
    written(tmp_path / "rows.jsonl", [row] * 2)
    assert dragoman("new", "mine", "data=rows.jsonl", folder=tmp_path).code == 0
    text = (tmp_path / "mine" / "dragoman.toml").read_text()
    assert 'task = "chat"' in text and f'shape = "{shape}"' in text and "labels" not in text


def test_labels_make_a_project_of_classification(tmp_path: Path) -> None:
    written(tmp_path / "rows.jsonl", [{"text": f"a {n}", "label": "xy"[n % 2]} for n in range(8)])
    assert dragoman("new", "mine", "data=rows.jsonl", folder=tmp_path).code == 0
    text = (tmp_path / "mine" / "dragoman.toml").read_text()
    assert 'task = "classify"' in text and '"x" = "x"' in text


def test_a_project_of_pairs_is_checked(place: Path) -> None:
    said = dragoman("check", "mine", BASE, "--json", folder=place)
    assert said.code == 0, said.whole
    found = {one["name"]: one for one in said.json["findings"]}
    assert found["length-bias"]["message"].startswith("the longer answer wins in 0.0% of 48 pairs")
    assert said.json["tokens"]


def test_a_test_file_with_a_prompt_of_training_is_named(place: Path) -> None:
    written(place / "test.jsonl", [{**pairs()[3], "chosen": "another word"}, {**pairs()[0], "prompt": "unheard of"}])
    words = ("mine", BASE, "data.test=test.jsonl", "--json")
    said = dragoman("check", *words, folder=place)
    leak = next(one for one in said.json["findings"] if one["name"] == "prompt-leak")
    assert (said.code, leak["severity"], leak["count"]) == (2, "error", 1)
    refused = dragoman("prepare", *words, folder=place)
    assert refused.code == 2 and "prompt-leak: 1 of 2 test rows" in refused.whole
    dropped = dragoman("prepare", *words, 'data.overlap="drop"', folder=place)
    assert dropped.json["data"]["rows"]["dropped"]["prompt-leak-with-test"] >= 1


def test_another_rejected_answer_is_other_work(place: Path) -> None:
    first = dragoman("prepare", "mine", BASE, "--json", folder=place)
    assert dragoman("prepare", "mine", BASE, "--json", folder=place).json["run"] == first.json["run"]
    written(place / "pairs.jsonl", [{**row, "rejected": "no"} for row in pairs()])
    assert dragoman("prepare", "mine", BASE, "--json", folder=place).json["run"] != first.json["run"]
    written(place / "pairs.jsonl", pairs())
