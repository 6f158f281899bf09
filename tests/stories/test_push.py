"""A judged model goes to a hub and comes back: whoever fetches it by its name has the answers that were measured."""

import json
from pathlib import Path

import pytest

from dragoman.core.runs import all_runs
from dragoman.models.source import resolve
from dragoman.stages.assistants import open_assistant
from tests.command import dragoman
from tests.fake_hub import TOKEN, hub_running, used
from tests.tiny import rows

# The library hands a file to httpx as `data`, which warns; what transformers warns of is its own.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_model_is_published_fetched_and_answers_alike(
    judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    with hub_running() as hub:
        used(hub, tmp_path / "cache", monkeypatch)
        told = dragoman("push", "to=owner/rooms", "license=mit", "--json")
        assert told.code == 0, told.whole
        fetched = resolve("hf:owner/rooms")
        assert TOKEN not in told.whole
    card = hub.repos["owner/rooms"]["README.md"].decode()
    [made] = [one for one in all_runs(judged / "runs") if one.id == told.json["run"]]
    [verdict] = [one for one in all_runs(judged / "runs") if one.verb == "run"]
    assert verdict.results["rung_run"] == made.id
    for part in ("The scope is met", "| zero_shot |", "(this model)", "rows.jsonl", "opened once"):
        assert part in card, part
    sent = b"".join(hub.repos["owner/rooms"].values())
    for row in json.loads((judged / "runs" / made.id / "run.json").read_text())["inputs"]:
        assert not row.startswith("/") or row.encode() not in sent
    assert str(judged).encode() not in sent
    assert str(tmp_path).encode() not in sent
    texts = [row["text"] for row in rows(20, seed=5)]
    assert not any(text.encode() in sent for text in (row["text"] for row in rows()))
    ask = transformers.pipeline("text-classification", model=str(fetched))
    theirs = [one["label"] for one in ask(texts)]
    ours = [turn.answer.text for turn in open_assistant(made).assistant.answer(texts)]
    assert theirs == ours
