"""A prompt in a file and guards are the project's: they are measured, kept, told, and another text is another run."""

import json
from pathlib import Path

from tests.command import dragoman
from tests.writers import write_model

TOWER = "# The tower\n\nThe tower is 330 metres tall. Ask eve@example.org for tickets.\n"
PROJECT = """
[scope]
name = "guide"
objective = "Answer visitors."
task = "chat"
target = { token_f1 = ">= 0.0" }
[data]
source = "questions.jsonl"
near_duplicate = 1.0
[models]
candidates = ["llama"]
max_tokens = 4
max_length = 256
[ladder]
rungs = ["zero_shot"]
[prompt]
file = "guide.md"
[guards]
canary = true
"""


def test_what_is_measured_is_what_is_asked(tmp_path: Path) -> None:
    write_model(tmp_path / "llama")
    (tmp_path / "guide.md").write_text("You are {name}. Be brief.")
    rows = [{"prompt": f"How tall is it ({row})?", "completion": "330"} for row in range(24)]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "dragoman.toml").write_text(PROJECT)
    first = dragoman("run", "--json", folder=tmp_path)
    assert first.code == 0, first.whole
    (run,) = (tmp_path / "runs").glob("zero_shot-*")
    card = json.loads((run / "model" / "dragoman.json").read_text())
    mark = card["around"]["mark"]
    assert mark.startswith("prompt guide@") and card["around"]["guards"]["canary"] is True
    assert json.loads((run / "run.json").read_text())["settings"]["prompt"]["mark"] == mark
    (answer,) = dragoman("ask", "zero_shot", "How tall?", "--json", folder=tmp_path).json["answers"]
    assert answer["prompt"] == mark.removeprefix("prompt ") and answer["guards"] == {} and mark in answer["trace"]
    refused = dragoman("ask", "zero_shot", "How tall?", "guards.canary=true", folder=tmp_path)
    assert refused.code == 2 and "it was measured with" in refused.whole
    dragoman("run", folder=tmp_path)
    assert len(list((tmp_path / "runs").glob("zero_shot-*"))) == 1
    (tmp_path / "guide.md").write_text("You are {name}. Be very brief.")
    dragoman("run", folder=tmp_path)
    assert len(list((tmp_path / "runs").glob("zero_shot-*"))) == 2


def test_an_index_keeps_its_guards(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "tower.md").write_text(TOWER)
    write_model(tmp_path / "llama")
    (tmp_path / "guide.md").write_text("Be brief.")
    dragoman("index", "docs", "embedder=none", "guards.personal=true", folder=tmp_path)
    (answer,) = dragoman("ask", "Who has tickets?", "how.threshold=-1", "--json", folder=tmp_path).json["answers"]
    assert "[e-mail]" in answer["answer"] and "eve@" not in json.dumps(answer) and answer["prompt"] == ""
    words = ("ask", "Who has tickets?", "how.threshold=-1", "how.max_tokens=4", "model=llama", "guards.canary=true")
    (told,) = dragoman(*words, "prompt.file=guide.md", "--json", folder=tmp_path).json["answers"]
    assert told["prompt"].startswith("guide@") and "eve@" not in json.dumps(told)
    quoted = dragoman("ask", "Who has tickets?", "prompt.file=guide.md", folder=tmp_path)
    assert quoted.code == 2 and "no model reads the prompt" in quoted.whole
    for word, name in (("canary=true", "canary"), ("links=none", "links"), ("marks=encode", "marks")):
        quoted = dragoman("ask", "Who has tickets?", f"guards.{word}", folder=tmp_path)
        assert quoted.code == 2 and f"guards.{name} guards what a model writes" in quoted.whole
    dragoman("index", "docs", "embedder=none", folder=tmp_path)  # said anew, without any
    (plain,) = dragoman("ask", "Who has tickets?", "how.threshold=-1", "--json", folder=tmp_path).json["answers"]
    assert "eve@example.org" in plain["answer"]
