"""docs/loop.md is walked: people correct answers, the next run learns from that, and a candidate is tried on them."""

import json
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.runs import all_runs
from dragoman.data.collected import is_case, read_collected
from dragoman.data.examples import read_examples
from dragoman.stages.prepare import seal_of
from dragoman.stages.promotions import promoted
from tests.command import ROOT, dragoman, ended
from tests.stories.test_serve import started
from tests.stories.test_tasks import walked
from tests.tiny import LABELS, write_project

PAGE = ROOT / "docs" / "loop.md"
KITCHEN = ("oven butter salt", "onion garlic dough", "soup knife recipe", "boil spoon pepper", "bake rice sauce")


def post(url: str, body: Any, talk: str = "") -> dict[str, Any]:
    """The answer to one request."""
    headers = {"Content-Type": "application/json", "X-Dragoman-Conversation": talk}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        said: dict[str, Any] = json.loads(answer.read())
    return said


def correct(folder: Path, words: list[str], texts: tuple[str, ...]) -> list[dict[str, Any]]:
    """Serve as the page says, ask, and correct every answer to another label."""
    running, url = started(*words, folder=folder)
    found = []
    with running:
        for number, text in enumerate(texts):
            found.append(post(f"{url}/v1/classify", {"input": text}, f"talk {number}"))
            given = found[-1]["results"][0]["label"]
            right = next(label for label in LABELS if label != given)
            told = {"id": found[-1]["id"], "thumb": "down", "correction": right}
            assert post(f"{url}/v1/feedback", told)["stored"] is True
        running.send_signal(signal.SIGTERM)
        ended(running)
    return found


def sealed(folder: Path) -> tuple[bytes, list[str]]:
    """The manifest of the newest sealed test, and what training holds."""
    prepared = [one for one in all_runs(folder / "runs") if one.verb == "prepare"][-1]
    train = read_examples(prepared.folder / "parts" / "train.jsonl")
    return (seal_of(prepared) / "part" / "manifest.json").read_bytes(), [one.text for one in train]


@pytest.mark.slow
def test_the_loop_is_walked(tiny_model: Path, tmp_path: Path) -> None:
    folder = write_project(tmp_path / "rooms", tiny_model, ">= 0.99", ("zero_shot", "few_shot"))
    commands = walked(PAGE)
    assert [words[1] for words in commands] == ["run", "serve", "collect", "run", "serve", "promote"]
    assert dragoman(*commands[0][1:], folder=folder).code == 1
    test, learnt = sealed(folder)
    correct(folder, commands[1][2:], KITCHEN)
    said = dragoman(*commands[2][1:], folder=folder, said="a\n" * 4)
    assert said.code == 0 and "4 accepted" in said.whole and "1 not decided yet" in said.whole
    made = read_collected(folder / "collected")
    assert len(made.examples) + len(made.cases) == 4 and made.examples and made.cases
    assert {one.text: is_case(one.text) for one in (*made.examples, *made.cases)} == {
        text: is_case(text) for text in KITCHEN[:4]
    }
    assert {one.meta["by"] for one in made.cases} == {"ann"}
    said = dragoman(*commands[3][1:], "--json", folder=folder)
    assert said.code == 1, said.whole
    again, grown = sealed(folder)
    assert again == test and grown[: len(learnt)] == learnt
    assert grown[len(learnt) :] == [one.text for one in made.examples]
    record = [one for one in all_runs(folder / "runs") if one.verb == "run"][-1].results
    assert record["complaints"]["rows"] == len(made.cases) and record["complaints"]["before"]["value"] == 0.0
    page = (folder / said.json["report"]).read_text(encoding="utf-8")
    assert "What users complained about" in page and "as it was answered" in page
    talks = tuple(f"oven number {number}" for number in range(24))
    answers = correct(folder, commands[4][2:], talks)
    assert {one["run"].split("-")[0] for one in answers} == {"few_shot", "zero_shot"}
    said = dragoman(*commands[5][1:], "--json", folder=folder)
    assert said.code == 1 and said.json["verdict"] == "not yet"
    assert 2 <= sum(said.json["requests"]) <= 24  # from the candidate's first one on
    assert said.json["candidate"].startswith("zero_shot-") and not promoted(folder / "runs")
