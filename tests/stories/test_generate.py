"""A small real model writes stories in the terminal: the published text, streamed, stopped, piped and scripted."""

import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import ROOT, dragoman, ended, spawn
from tests.models.engine import KEY, Engine, chat, delta
from tests.stories.test_bad_data import refused

START = "Once upon a time"


@pytest.fixture
def stories(shared_data: Path) -> str:
    return str(shared_data / "models" / "stories260K")


def test_the_published_story(stories: str) -> None:
    reference = json.loads((Path(stories) / "reference.json").read_text())
    count = len(reference["greedy_ids_from_bos"]) - 5  # <s> and the four tokens of the start
    said = dragoman("generate", stories, START, f"max_tokens={count}")
    assert said.code == 0
    assert START + said.out.rstrip("\n") == reference["published_greedy_text"].rstrip("\n")
    told = dragoman("generate", stories, START, f"max_tokens={count}", "--json").json
    assert told["completions"][0]["text"] == said.out.removesuffix("\n")
    assert (told["completions"][0]["finish"], told["completions"][0]["tokens"]) == ("length", count)


def test_drawn_stories_are_the_same_again_and_differ_from_each_other(stories: str) -> None:
    words = ("generate", stories, START, "temperature=1", "n=3", "seed=7", "max_tokens=20", "--json")
    texts = [one["text"] for one in dragoman(*words).json["completions"]]
    assert len(set(texts)) == 3
    assert [one["text"] for one in dragoman(*words).json["completions"]] == texts
    alone = dragoman("generate", stories, START, "temperature=1", "seed=7", "max_tokens=20").out
    assert alone == texts[0] + "\n"


def test_an_answer_of_a_given_shape(stories: str) -> None:
    said = dragoman("generate", stories, "The cat was", 'choices=["big", "sad"]', "--json").json["completions"][0]
    assert said["text"] in ("big", "sad")
    made = dragoman("generate", stories, START, "regex=[a-z]{3} [0-9]{2}", "temperature=1").out
    assert made[3] == " "
    assert made[4:].strip().isdigit()


def test_a_file_of_prompts(stories: str, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text(f"{START}\nLily and her mom went to the big park\n")
    said = dragoman("generate", stories, f"file={tmp_path / 'prompts.txt'}", "max_tokens=8")
    lines = [json.loads(line) for line in said.out.splitlines()]
    alone = [dragoman("generate", stories, line["prompt"], "max_tokens=8").out for line in lines]
    assert [line["completions"][0]["text"] + "\n" for line in lines] == alone


def test_a_chat_with_a_model_that_was_never_taught_to(stories: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Hello, my name is Lily.\nWhat did you say?\n/undo\n/quit\n"))
    said = dragoman("chat", stories, "max_tokens=12", "--json")
    assert said.code == 0
    assert "no chat template" in said.err
    assert [one["role"] for one in said.json["messages"]] == ["user", "assistant"]


def test_a_long_chat_forgets_its_beginning_and_says_so(stories: str, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = "and then they went to the park and played with the ball. " * 6
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{turn}\n" * 5))
    said = dragoman("chat", stories, "max_tokens=20")
    assert said.code == 0, said
    assert "no longer sees" in said.err
    assert len(said.out.splitlines()) >= 5


def test_ctrl_c_ends_a_story(stories: str, tmp_path: Path) -> None:
    words = ("generate", stories, START, "temperature=1", "max_tokens=450", "min_tokens=450")
    with spawn(*words, folder=tmp_path) as running:
        assert running.stdout is not None
        first = running.stdout.read(1)  # it comes while the rest is still being written
        running.send_signal(signal.SIGINT)
        rest, said = ended(running)
    assert running.returncode == 130
    assert (first + rest).endswith("\n")
    assert "stopped by Ctrl-C" in said
    assert "Traceback" not in said


def test_a_reader_that_leaves_is_no_fault(stories: str, tmp_path: Path) -> None:
    command = f'echo "{START}" | "{sys.executable}" -m dragoman generate "{stories}" max_tokens=100 | head -c 7'
    said = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, shell=True, env=said, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert len(done.stdout) == 7
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((START, "temperature=-1"), "temperature cannot be -1"),
        ((START, "top_p=0"), "top_p cannot be 0"),
        ((START, "logit_bias={600=1}"), "token 600"),
        ((START, "regex=["), "regex"),
        ((START, "json_schema={"), "json_schema"),
        (("long " * 600,), "tokens"),
        ((START, "device=abacus"), "no device 'abacus'"),
    ],
)
def test_a_mistake_is_one_message(stories: str, words: tuple[str, ...], said: str) -> None:
    assert said in refused(dragoman("generate", stories, *words, "--json"))


def test_no_such_model(tmp_path: Path) -> None:
    assert "no model" in refused(dragoman("generate", str(tmp_path / "nowhere"), START, "--json"))
    assert "names no model" in refused(dragoman("generate", "openai:http://127.0.0.1:1/v1", START, "--json"))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    stub = Engine()
    yield stub
    stub.release.set()
    stub.server.shutdown()
    stub.server.server_close()


def test_an_engine_behind_an_address(engine: Engine) -> None:
    spec = f"openai:{engine.url}#some/model"
    engine.answers = [[delta("Hel"), delta("lo"), delta(None, "stop"), b"data: [DONE]\n\n"]]
    assert dragoman("generate", spec, "Say hello.", "system=Be brief.", "top_k=3").out == "Hello\n"
    assert engine.asked[0][1]["top_k"] == 3
    engine.answers = [(200, chat("Hello"))]
    assert dragoman("generate", spec, "Say hello.", "--json").json["completions"][0]["text"] == "Hello"
    engine.answers = [(400, {"error": {"message": f"{KEY} may not use min_p", "param": "min_p"}})]
    said = dragoman("generate", spec, "Say hello.", "min_p=0.5", "temperature=1", "--json")
    assert "refuses min_p" in refused(said)
    assert KEY not in said.out + said.err
