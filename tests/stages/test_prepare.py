"""What is found in the rows of a project, and which labels they are prepared with."""

import json
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.project import load, locate, overlay
from dragoman.data.examples import read_examples
from dragoman.stages.prepare import gather, inspect, labels_of, part, prepare, seal_of


def lengths(texts: Any) -> list[int]:
    """Characters in the place of tokens."""
    return [len(text) for text in texts]


@pytest.mark.parametrize(
    ("metric", "letters", "found"), [("rougel", "雨", 1), ("chrf", "雨", 0), ("rougel", "rain", 0)]
)
def test_a_target_that_sees_nothing_is_a_finding(tmp_path: Path, metric: str, letters: str, found: int) -> None:
    rows = [{"document": f"a text of {place}", "summary": f"{letters * 4} {place}"} for place in range(8)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    scope = {"task": "summarize", "target": {metric: ">= 0.2"}}
    project = overlay({"scope": scope, "data": {"source": "a.jsonl"}, "root": str(tmp_path)}, ())
    findings = inspect(project, gather(project), lengths)
    assert sum(one.name == "rouge-blind" for one in findings) == found


def test_kinds_of_entity_become_the_tags_that_are_learnt(tmp_path: Path) -> None:
    row = {"tokens": ["Ann", "Lee", "sings"], "tags": ["B-person", "I-person", "O"]}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    scope = {"task": "tag", "target": {"entity_f1": ">= 0.5"}, "labels": {"person": "who", "place": "where"}}
    project = overlay({"scope": scope, "data": {"source": "a.jsonl"}, "root": str(tmp_path)}, ())
    assert labels_of(project, gather(project)) == ("O", "B-person", "I-person", "B-place", "I-place")


def test_what_was_collected_joins_training_and_leaves_the_sealed_test_as_it_was(tiny_project: Path) -> None:
    project = load(locate(""))
    before = prepare(project, gather(project))
    sealed = read_examples(seal_of(before) / "part" / "examples.jsonl")
    parts = {name: part(before, name) for name in ("train", "validation")}
    asked = ["salt the warm soup", "a tulip for the lawn", sealed[0].text, "fly away"]
    rows = [
        {"prompt": [{"role": "user", "content": text}], "answers": [label], "meta": {"collected": True, "id": text}}
        for text, label in zip(asked, ("kitchen", "garden", "money", "travel"), strict=True)
    ]
    (tiny_project / "collected").mkdir()
    (tiny_project / "collected" / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    after = prepare(project, gather(project))
    assert after.id != before.id and after.results["collected"] == 2
    manifests = [(seal_of(one) / "part" / "manifest.json").read_bytes() for one in (before, after)]
    assert manifests[0] == manifests[1]  # the checksum of every byte of the sealed test
    assert read_examples(seal_of(after) / "part" / "examples.jsonl") == sealed
    assert part(after, "validation") == parts["validation"]
    assert part(after, "train")[: len(parts["train"])] == parts["train"]
    assert [one.text for one in part(after, "train")[len(parts["train"]) :]] == asked[:2]
    dropped = after.results["card"]["rows"]["dropped"]
    assert (dropped["collected-row-in-test"], dropped["collected-label-unknown"]) == (1, 1)
    without = load(locate(""), ("data.collected=false",))
    assert prepare(without, gather(without)).id == before.id
