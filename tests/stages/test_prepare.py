"""What is found in the rows of a project, and which labels they are prepared with."""

import json
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.project import overlay
from dragoman.stages.prepare import gather, inspect, labels_of


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
