"""Seeds: out of rows of several shapes, never those that a model made, and what is held against them."""

import json
from pathlib import Path
from typing import Any

import pytest

from dragoman.app.self_instruct import LABELLED, PROMPT, WRITTEN, Pattern
from dragoman.core.errors import UserError
from dragoman.stages.generate_data import SIEVE, prompt_of, read_seeds


def put(path: Path, *rows: Any) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_seeds_of_each_shape(tmp_path: Path) -> None:
    """What an instruction is about stays beside it; of a dialogue what the user says last is what is asked."""
    rows = [
        {"id": f"r{row}", "instruction": f"Do {row}", "input": f"it {row}", "output": f"done {row}"} for row in range(3)
    ]
    found = read_seeds(put(tmp_path / "a.jsonl", *rows))
    assert found.patterns[1] == Pattern("r1", "Do 1", "done 1", "it 1") and not found.labels
    assert prompt_of(found) == PROMPT[WRITTEN]
    pairs = [{"prompt": f"Say {row}", "completion": f"{row}"} for row in range(3)]
    assert [one.asked for one in read_seeds(put(tmp_path / "b.jsonl", *pairs)).patterns] == ["Say 0", "Say 1", "Say 2"]
    texts = [{"text": f"text {row}", "label": ("late_bus", "fine")[row % 2]} for row in range(4)]
    labelled = read_seeds(put(tmp_path / "c.jsonl", *texts), "classify")
    assert labelled.labels == {"fine": "fine", "late_bus": "late bus"} and prompt_of(labelled) == PROMPT[LABELLED]
    assert [(one.asked, one.output) for one in labelled.patterns][:2] == [("text 0", "late_bus"), ("text 1", "fine")]


def test_what_a_model_made_is_no_seed(tmp_path: Path) -> None:
    rows = [{"instruction": f"Do {row}", "output": "done", "generated": row > 2} for row in range(5)]
    found = read_seeds(put(tmp_path / "a.jsonl", *rows))
    assert (len(found.patterns), found.left_out) == (3, 2)
    with pytest.raises(UserError, match="0 seeds"):
        read_seeds(put(tmp_path / "b.jsonl", *rows[3:]))


def test_a_project_of_another_task_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "rows.jsonl", {"tokens": ["a"], "tags": ["O"]})
    (tmp_path / "dragoman.toml").write_text(
        '[scope]\nname = "n"\nobjective = "o"\ntask = "tag"\ntarget = { entity_f1 = ">= 0.1" }\n'
        '[data]\nsource = "rows.jsonl"\n'
    )
    with pytest.raises(UserError, match="not written here for the task tag"):
        read_seeds(str(tmp_path))


def test_what_rows_are_held_against() -> None:
    assert SIEVE.rouge("the cat sat down", "the cat lay down") == 0.75
    assert SIEVE.near("動物は何を食べる", "動物は何を食べた") > 0.5
    assert SIEVE.same("The  CAT") == SIEVE.same("the cat")
    assert SIEVE.language("Was der Hund und die Katze für das Kind ist nicht zu sehen") == "de"
    assert SIEVE.refuses("I'm sorry, but I can't help with that.")
