"""A model's answers are rewritten by a constitution, a critic prefers, and both kinds of rows are read again."""

import itertools
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.types import Message
from dragoman.data.load import load
from tests.app.planted import Planted
from tests.command import dragoman, spawn
from tests.models.engine import Engine, chat
from tests.stories.test_bad_data import refused

PROMPTS = [{"prompt": f"question {row}", "benign": row % 2 == 0} for row in range(40)]


def echoed(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """What an engine that reads `prompt` with the option behind it tells: the option's log-probability."""
    text, option = body["prompt"][:-4], body["prompt"][-4:]
    value = float(Planted().score([[Message("user", text)]], ())[0][int(option == " (B)")])
    tokens = {"tokens": [text, option], "token_logprobs": [None, value], "text_offset": [0, len(text)]}
    return 200, {"choices": [{"index": 0, "text": body["prompt"], "logprobs": tokens}]}


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine behind which the planted model answers."""
    stub, model = Engine(), Planted()

    def answer(body: dict[str, Any]) -> Any:
        if "prompt" in body:
            return echoed(body)
        said = [(one["role"], one["content"]) for one in body["messages"]]
        return 200, chat(model.say(said, body.get("seed", 0)))

    stub.answers = [answer]
    yield stub
    stub.release.set()
    stub.server.shutdown()
    stub.server.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with prompts."""
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROMPTS))
    return tmp_path


def test_answers_are_revised_killed_and_gone_on_with(engine: Engine, folder: Path) -> None:
    words = ("revise", "prompts.jsonl", f"model=openai:{engine.url}#m", r"rule=\bzap\b", "--json")
    kept = folder / "prompts.revised.answers.jsonl"
    with spawn(*words, folder=folder) as running:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (kept.exists() and kept.read_bytes().count(b"\n") > 60):
            time.sleep(0.01)
        os.kill(running.pid, signal.SIGKILL)
    assert not (folder / "prompts.revised.jsonl").exists()
    before = kept.read_bytes().count(b"\n")
    assert before > 60
    said = dragoman(*words, folder=folder)
    assert said.code == 0, said
    told = said.json
    whole = 40 + 40 * 4 * 2
    assert (told["rows"], told["asked"]) == (40, whole - before)
    rates = [one["value"] for one in told["violations"]]
    assert rates[0] == 1.0 and rates[-1] == 0.0 and all(b < a for a, b in itertools.pairwise(rates))
    assert [one["value"] for one in told["benign_refusals"]] == [0.0] * 5 and told["benign_refusals"][0]["n"] == 20
    assert len(told["principles"]) == 8
    rows = load(str(folder / "prompts.revised.jsonl"), task="chat")
    assert rows.shape == "chat"
    assert [one.answers for one in rows.examples] == [(f"the answer to question {row}",) for row in range(40)]
    again = dragoman(*words, folder=folder).json
    assert (again["asked"], again["rows"]) == (0, 40)
    shown = dragoman(*words[:-1], folder=folder).whole
    assert "40 revised answers" in shown and "breaks the rule" in shown and "dragoman tune MODEL" in shown


def test_a_critic_prefers(engine: Engine, folder: Path) -> None:
    spec = f"openai:{engine.url}#m"
    words = ("revise", "prompts.jsonl", f"model={spec}", "--prefer", r"rule=\bzap zap zap\b")
    said = dragoman(*words, folder=folder)
    assert said.code == 0, said
    assert "the critic is the policy itself" in said.err
    assert "preferences in prompts.preferred.jsonl" in said.whole and "alike in both orders" in said.whole
    told = dragoman(*words, "--json", folder=folder).json
    assert told["asked"] == 0 and told["consistency"]["value"] == 1.0 and told["people"] is None
    assert told["violations"]["chosen"]["value"] < told["violations"]["rejected"]["value"]
    data = load(str(folder / "prompts.preferred.jsonl"), task="chat")
    assert data.shape == "preference" and len(data.examples) == told["rows"] > 20
    rows = [json.loads(line) for line in (folder / "prompts.preferred.jsonl").read_text().splitlines()]
    assert [one.meta["margin"] for one in data.examples] == [row["margin"] for row in rows]
    assert [one.rejected for one in data.examples] == [row["rejected"][0]["content"] for row in rows]
    judged = dragoman("revise", "prompts.preferred.jsonl", f"critic={spec}", "--prefer", "--json", folder=folder)
    assert judged.json["people"]["share"]["value"] == 1.0, judged  # rows with an order are held against it
    assert "policy itself" not in judged.err


def test_the_model_that_costs_nothing(folder: Path) -> None:
    said = dragoman("revise", "prompts.jsonl", "model=fake:", "rounds=1", "rule=fake", "--json", folder=folder)
    assert said.code == 0, said
    assert [one["value"] for one in said.json["violations"]] == [1.0, 1.0]


@pytest.mark.parametrize(("words", "said"), [
    (("prompts.jsonl",), "no model is named"),
    (("model=fake:",), "no prompts are named"),
    (("prompts.jsonl", "model=fake:", "rounds=0"), "rounds cannot be 0"),
    (("prompts.jsonl", "model=fake:", "n=2", "temperature=1"), "n cannot be 2"),
    (("prompts.jsonl", "model=fake:", "rule=("), "the rule is no regular expression"),
    (("prompts.jsonl", "model=fake:", "constitution=no.toml"), "there is no constitution at no.toml"),
    (("prompts.jsonl", "model=fake:", "out=prompts.jsonl"), "prompts.jsonl is read by this command"),
    (("prompts.jsonl", "critic=fake:"), "no model is named that answers"),
    (("prompts.jsonl", "model=fake:", "--prefer"), "no pair was decided"),
    (("nowhere.jsonl", "model=fake:"), "nowhere.jsonl"),
])  # fmt: skip
def test_a_mistake_is_one_message(folder: Path, words: tuple[str, ...], said: str) -> None:
    assert said in refused(dragoman("revise", *words, "--json", folder=folder))
