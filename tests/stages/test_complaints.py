"""The collected cases are answered again, and each is held against the answer of then."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dragoman.app.assistant import Assistant, NoModel
from dragoman.app.turn import Turn
from dragoman.core import durable
from dragoman.core.doors import LM
from dragoman.core.project import Project, overlay
from dragoman.core.runs import Run
from dragoman.core.types import Answer, Example, Message
from dragoman.data.examples import write_examples
from dragoman.stages import complaints
from dragoman.stages.assistants import CARD, MODEL, Opened
from dragoman.stages.complaints import cases_of, complained, told
from dragoman.stages.prepare import PARTS


@dataclass(frozen=True)
class Same:
    """Says the same to everything."""

    text: str

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """One answer a turn."""
        return [replace(turn, answer=Answer(self.text, finish="stop", tokens=4)) for turn in turns]


def project_of(folder: Path, *cases: tuple[str, str, str]) -> Project:
    """A project with cases: what was asked, what is right, what was answered."""
    rows = [
        {"prompt": [{"role": "user", "content": text}], "answers": [right], "meta": {"given": [given], "id": text}}
        for text, right, given in cases
    ]
    (folder / "collected").mkdir()
    (folder / "collected" / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    scope = {"task": "chat", "target": {"chrf": ">= 0.5"}}
    return overlay({"scope": scope, "data": {"source": "a.jsonl"}, "root": str(folder)}, ())


def assistant_of(made: Run, text: str) -> Opened:
    """One that says this to everything."""
    (made.folder / MODEL).mkdir()
    (made.folder / MODEL / CARD).write_text("{}")
    return Opened(Assistant(NoModel(), (Same(text),)), made, {"task": "chat", "labels": [], "multi_label": False})


def test_texts_rise_fall_or_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Run.begin(tmp_path / "runs", "lora", {}, {}).finish({})
    opened = assistant_of(made, "the tower is tall")
    monkeypatch.setattr(complaints, "open_assistant", lambda run: opened)
    right, wrong = "the tower is tall", "nothing at all"
    project = project_of(tmp_path, ("one", right, wrong), ("two", wrong, wrong), ("three", right, right))
    found = complained(project, made)
    assert found["rows"] == 3 and found["metric"] == "rougel"
    assert found["outcomes"] == {"better": 1, "the same": 1, "worse": 1}
    assert found["cases"][0]["outcome"] in ("worse", "the same")  # what is not fixed stands first
    assert told(found) == "3 cases: 1 better, 1 the same, 1 worse"
    assert found["before"]["value"] == pytest.approx(2 / 3) and found["difference"]["low"] < 0


def test_a_case_that_training_holds_is_left_out_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    question = "how tall is the tower by the river in metres"
    prepared = Run.begin(tmp_path / "runs", "prepare", {}, {})
    learnt = [Example((Message("user", f"{question} exactly"),), ("a",), "", {})]
    durable.publish(prepared.folder / PARTS, lambda stage: write_examples(stage / "train.jsonl", learnt) and None)
    prepared = prepared.finish({}, published=(PARTS,))
    made = Run.begin(tmp_path / "runs", "lora", {}, {"parts": prepared}).finish({})
    opened = assistant_of(made, "a")
    monkeypatch.setattr(complaints, "open_assistant", lambda run: opened)
    project = project_of(tmp_path, (question, "a", "b"), ("something else altogether", "a", "b"))
    found = complained(project, made)
    assert (found["rows"], found["learnt"]) == (1, 1)
    assert told(found) == "1 cases: 1 better; 1 left out: training holds them"
    rows = (tmp_path / "collected" / "cases.jsonl").read_text().splitlines()
    (tmp_path / "collected" / "cases.jsonl").write_text(rows[0] + "\n")
    assert told(complained(project, made)) == "0 cases; 1 left out: training holds them"


def test_nothing_collected_is_nothing(tmp_path: Path) -> None:
    project = project_of(tmp_path, ("one", "a", "b"))
    assert len(cases_of(project)) == 1
    assert cases_of(replace(project, data=replace(project.data, collected=False))) == ()
