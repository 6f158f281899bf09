"""The command line: help at once and without torch, one object with --json, exit codes, where a project stands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dragoman.cli import VERBS
from tests.command import ROOT, dragoman

CODE = (
    "import sys, time; from dragoman.cli import main; code = main(sys.argv[1:]); "
    "heavy = {'torch', 'transformers', 'fastapi', 'tokenizers'} & set(sys.modules); "
    "print(code, '+'.join(sorted(heavy)) or 'light', time.process_time(), file=sys.stderr)"
)
WORDS = [(), ("--help",), *((verb, "--help") for verb in VERBS)]


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_help_needs_no_torch_and_little_time(words: tuple[str, ...], tmp_path: Path) -> None:
    said = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", CODE, *words], cwd=tmp_path, env=said, capture_output=True, text=True, check=True
    )
    code, weight, seconds = done.stderr.split()
    assert (code, weight) == ("0", "light")
    assert float(seconds) < 0.5
    assert len(done.stdout) > 100
    if words and words[0] in VERBS:
        assert f"usage: dragoman {words[0]}" in done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_help_tells_every_setting_with_a_sentence(verb: str) -> None:
    from dragoman.cli import stage_of
    from dragoman.core.config import describe

    told = dragoman(verb, "--help").out
    for setting in describe(stage_of(verb).Settings):
        assert setting.help, f"{verb}: {setting.name} has no help"
        assert f"  {setting.name}" in told


def test_the_settings_of_a_section_are_words_of_the_verb() -> None:
    from dragoman.core.config import describe
    from dragoman.core.sampling import Sampling

    told = dragoman("generate", "--help").out
    assert "how holds these" in told
    for setting in describe(Sampling):
        assert f"\n  {setting.name} " in told
    short = dragoman("generate", "fake:", "hello", "max_tokens=2", "--json").json
    assert short["completions"][0]["text"] == "a fake"
    assert (
        dragoman("generate", "fake:", "hello", "how.max_tokens=2", "--json").json["completions"] == short["completions"]
    )


def test_a_word_is_looked_for_in_the_verb_and_in_its_sections() -> None:
    for word, said in {
        "temprature=1": "did you mean 'temperature'?",
        "fil=x": "did you mean 'file'?",
        "--tempreture=1": "did you mean 'temperature'?",
        "how.temprature=1": "did you mean 'temperature'?",
    }.items():
        told = dragoman("generate", "fake:", "hello", word)
        assert (told.code, said in told.err) == (2, True), told


def test_a_sentence_with_a_sign_in_it_is_no_setting() -> None:
    assert dragoman("generate", "fake:", "what is 1 + 1 = 2?", "--json").json["prompt"] == "what is 1 + 1 = 2?"


def test_version() -> None:
    from dragoman import __version__

    assert dragoman("--version").out == f"{__version__}\n"


def test_alone_in_an_empty_folder(tmp_path: Path) -> None:
    said = dragoman(folder=tmp_path)
    assert said.code == 0
    assert "dragoman new" in said.whole
    assert dragoman("--json", folder=tmp_path).json == {"project": None, "next": "dragoman new"}


def test_alone_in_a_project_before_and_after_a_run(tiny_project: Path, judged_project: Path) -> None:
    before = dragoman("--json", folder=tiny_project)
    assert before.json["next"].startswith("dragoman check")
    after = dragoman("--json", folder=judged_project)
    assert after.json["verdict"] == "met"
    assert after.json["next"].startswith("dragoman serve run-")
    shown = dragoman(folder=judged_project).whole
    assert "target accuracy" in shown
    assert "The scope is met" in shown


ANSWERS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("new", "other", "data=rows.jsonl"): ("file", "next"),
    ("check",): ("errors", "warnings", "findings"),
    ("prepare",): ("run", "folder", "data"),
    ("plan",): ("run", "rungs", "seconds"),
    ("train", "tuning=head"): ("run", "model", "validation", "steps"),
    ("evaluate", "full", "data=rows.jsonl"): ("verdict", "rung", "metrics", "run", "report"),
    ("run", "--all"): ("verdict", "rung", "metrics", "run", "report"),
    ("judge", "full"): ("verdict", "rung", "metrics", "run", "report"),
    ("runs",): ("folder", "runs"),
    ("runs", "full"): ("id", "settings", "inputs", "results"),
    ("report",): ("report", "run", "verdict"),
    ("doctor",): ("machine", "packages", "damage"),
    ("models",): ("families", "builtin"),
    ("generate", "fake:", "hello"): ("prompt", "completions", "model", "seconds"),
}


@pytest.mark.parametrize("words", ANSWERS, ids=" ".join)
def test_json_is_one_object_and_nothing_else_on_standard_output(words: tuple[str, ...], judged: Path) -> None:
    said = dragoman(*words, "--json")
    assert said.code in (0, 1), said
    assert len(said.out.splitlines()) == 1
    answer = json.loads(said.out)
    assert set(ANSWERS[words]) <= answer.keys()
    plain = dragoman(*words if words[0] != "new" else ("new", "third", "data=rows.jsonl"))
    assert plain.code == said.code
    assert str(judged) not in plain.out  # paths are told from where the person stands


@pytest.mark.parametrize("verb", VERBS)
def test_json_holds_the_mistake_too(verb: str, tmp_path: Path) -> None:
    said = dragoman(verb, "--nonsense", "--json", folder=tmp_path)
    assert said.code == 2
    assert said.json.keys() == {"error"}
    assert said.json["error"]["problem"]
    assert f"dragoman {verb} --help" in said.json["error"]["hint"]


def test_a_new_project_can_be_checked_at_once(tmp_path: Path) -> None:
    from tests.tiny import rows, write_rows

    write_rows(tmp_path / "rows.jsonl", rows(60))
    made = dragoman("new", "mine", "data=rows.jsonl", "--json", folder=tmp_path)
    assert made.code == 0
    assert made.json["next"] == "dragoman check mine"
    text = (tmp_path / "mine" / "dragoman.toml").read_text()
    assert 'source = "../rows.jsonl"' in text
    assert '"kitchen" = "kitchen"' in text
    checked = dragoman("check", "mine", folder=tmp_path)
    assert checked.code == 0
    assert "dragoman run mine" in checked.whole
    again = dragoman("new", "mine", "--json", folder=tmp_path)
    assert again.code == 2
    assert "exists already" in again.json["error"]["problem"]


def test_next_commands_work_where_the_person_stands(judged: Path) -> None:
    told = dragoman("run", "rooms", "--all", folder=judged.parent)
    assert told.code == 0
    assert "project=rooms" in told.whole
    again = dragoman("judge", "lora", "project=rooms", "--json", folder=judged.parent)
    assert again.code == 0
    assert (judged.parent / again.json["report"]).exists()


def test_a_pipe_that_closes_early_is_no_fault(judged: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m dragoman runs --json | head -c 5",
        shell=True,
        cwd=judged,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == '{"fol'
    assert "Traceback" not in done.stderr


def test_a_sentence_with_an_equals_sign_is_no_setting(shared_data: Path) -> None:
    said = dragoman("generate", str(shared_data / "models" / "stories260K"), "Solve. If 2+x=5, x is", "max_tokens=2")
    assert said.code == 0, said


def test_a_text_that_looks_like_a_number_stays_as_typed(shared_data: Path) -> None:
    model = str(shared_data / "models" / "stories260K")
    assert dragoman("generate", model, "prompt=1e5", "max_tokens=1", "--json").json["prompt"] == "1e5"


def test_a_verb_without_a_project_is_told_of_no_project_settings() -> None:
    said = dragoman("generate", "nowhere", "Hello")
    assert said.code == 2 and "models.candidates" not in said.err
    assert "there is no model 'nowhere'" in said.err


def test_a_message_cannot_steer_the_terminal() -> None:
    said = dragoman("generate", "no\x1b[2Jwhere\x9b", "Hello")
    assert said.code == 2 and "\x1b" not in said.err and "\x9b" not in said.err
