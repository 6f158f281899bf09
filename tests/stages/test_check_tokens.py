"""The check of a model that writes speaks of the very labels that training makes, and needs no torch for it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.show import Show
from dragoman.nn.store import family_of, fresh_lm
from dragoman.nn.templates import TEMPLATES
from dragoman.stages.check_marks import Reading, Taught, rows_of
from dragoman.stages.check_tokens import MOST, inspect_tokens, sampled
from dragoman.stages.check_view import draw, view
from dragoman.train.doors import How, Kit
from dragoman.train.fitting import Lesson
from dragoman.train.objectives.seq2seq import Seq2seq
from dragoman.train.objectives.sft import Sft
from tests.command import ROOT, dragoman
from tests.nn.tiny_lm import SHAPES, folder_of, tokens
from tests.pains.planting import chat, example, examples, tokenizer

ROWS = [
    example("say it", "yes it is"),
    example("say all that can be said of cats, of mats and of hats", "no"),
    example("so", "there is a great deal to be said of cats, and of mats, and more of hats"),
    chat(("user", "one"), ("assistant", "two"), ("user", "three and more"), ("assistant", "four, and so on and on")),
    chat(("user", "one"), ("assistant", "two"), ("assistant", "three"), ("user", "go " * 50), ("assistant", "four")),
]


@pytest.mark.parametrize("cut", ["left", "right", "drop"])
@pytest.mark.parametrize("name", ["llama", "t5", "bart"])
def test_the_check_speaks_of_the_labels_that_training_makes(name: str, cut: Any, tmp_path: Path) -> None:
    two = name != "llama"
    given = tokens(name, tmp_path, "" if two else TEMPLATES["instruct"])
    rows = ROWS[:3] if two else ROWS
    family, config = SHAPES[name]
    net: Any = fresh_lm(family_of(family).read(config))
    objective: Any = Seq2seq(cut=cut) if two else Sft(cut=cut)
    for room in (60, 90, 200):
        made = objective.encode(net, Lesson(rows), Kit(How(max_length=room), given))
        found = [row for one in rows for row in rows_of(given, one, Reading(room, cut=cut, pairs=two))]
        kept: list[Taught] = [row for row in found if isinstance(row, Taught) and any(row.predicted)]
        learnt = [[number for number, here in zip(row.ids, row.predicted, strict=True) if here] for row in kept]
        assert learnt == [[label for label in one.labels if label >= 0] for one in made.examples]
        if not two:  # an encoder-decoder writes what it reads in a row of its own
            read = [[number for number, here in zip(row.ids, row.kept, strict=True) if here] for row in kept]
            assert [one[: len(row.ids)] for one, row in zip(read, made.examples, strict=True)] == [
                row.ids.tolist() for row in made.examples
            ]
        assert made.cut + made.dropped == sum(row.cut for row in found if isinstance(row, Taught))


def test_every_token_is_shown_as_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = tokenizer(tmp_path)
    [row] = rows_of(given, example("héllo\n" * 60, "yes <b>"), Reading(48))  # type: ignore[misc]
    shown = view(given, row)
    assert json.loads(json.dumps(shown)) == shown
    assert len(shown["ids"]) == len(shown["pieces"]) == len(shown["learnt"]) == len(shown["kinds"])
    assert "".join(shown["pieces"]).endswith("héllo\n<|im_end|>\n<|im_start|>assistant\nyes <b><|im_end|>")
    assert shown["kinds"][-1] == "stop"
    assert shown["kinds"].count("learnt") == sum(shown["learnt"]) - 1
    assert {"cut", "control", "read"} < set(shown["kinds"])
    draw([shown], Show())
    drawn = capsys.readouterr().out
    assert "1 stop" in drawn
    assert "tokens …" in drawn


def test_many_examples_are_sampled_evenly() -> None:
    rows = examples(3) * MOST
    assert len(sampled(rows)) == MOST
    assert sampled(rows)[-1] is rows[-3]


def test_an_encoder_decoder_is_looked_at_too(tmp_path: Path) -> None:
    given = tokens("t5", tmp_path)
    found = {one.name: one for one in inspect_tokens(given, examples(50), Reading(20, pairs=True))}
    assert found["answer-truncated"].severity == "warning"
    assert "8 of 50 rows" in found["answer-truncated"].message
    assert found.keys() == {"answer-truncated"}


def project(folder: Path) -> Path:
    """A project of a decoder that is to learn dialogues; one stands in its folder."""
    folder_of("llama", folder / "model")
    turns = [[one.prompt[0], ("assistant", one.answers[0])] for one in examples(50)]
    rows = [
        {"messages": [{"role": "user", "content": first.content}, {"role": role, "content": said}]}
        for first, (role, said) in turns
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "dragoman.toml").write_text(
        '[scope]\nname = "chat"\ntask = "chat"\ntarget = { rougel = ">= 0.5" }\n[data]\nsource = "rows.jsonl"\n'
        '[models]\ncandidates = ["model"]\nmax_length = 96\n'
    )
    return folder


def test_check_shows_findings_and_tokens_of_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project(tmp_path))
    said = dragoman("check", "--json")
    assert said.code == 0, said
    assert "template-missing" in {one["name"] for one in said.json["findings"]}
    assert [len(one["ids"]) for one in said.json["tokens"]] == [len(one["kinds"]) for one in said.json["tokens"]]
    assert all(one["kinds"][-1] == "stop" for one in said.json["tokens"])
    endless = tmp_path / "endless.jinja"
    endless.write_text("{% for message in messages %}{{ message['content'] }}\n{% endfor %}")
    bad = dragoman("check", "models.template=endless.jinja", "--json")
    assert bad.code == 2
    assert bad.json["findings"][0]["name"] == "stop-token-untrained"
    wrong = dragoman("check", "objective.turms=last", "--json")
    assert "'turns'" in wrong.json["error"]["hint"]


def test_looking_needs_no_torch(tmp_path: Path) -> None:
    folder = project(tmp_path)
    code = (
        "import sys; from dragoman.cli import main; code = main(['check']); "
        "sys.exit(9 if 'torch' in sys.modules else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "1 stop" in done.stdout
