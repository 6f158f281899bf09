"""A person has questions with the places that answer them, trains what rates passages on pairs, and asks with it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command import dragoman
from tests.nn.tiny import encoder_folder

pytest.importorskip("Stemmer")

PLACES = ("mat", "bed", "car", "sea", "hut", "bus")
PROJECT = """
[scope]
name = "cats"
objective = "Say what the cat did."
task = "chat"
target = { exact_match = ">= 0.01" }
[data]
source = "pairs.jsonl"
[documents]
source = "docs"
embedder = "none"
threshold = -1
[models]
candidates = ["base"]
[ladder]
rungs = ["rag"]
[train]
batch = 8
rate = 3e-3
epochs = 12
max_length = 36
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of each place a cat and a dog; the dog's text has more of the question's words, the cat's is the answer."""
    folder = tmp_path_factory.mktemp("rerank")
    (folder / "docs").mkdir()
    for name in PLACES:
        (folder / "docs" / f"{name}_cat.txt").write_text(f"The cat ran on the {name} fast.")
        (folder / "docs" / f"{name}_dog.txt").write_text(f"A dog sat on the {name}: sat on the {name}!")
    asked = [
        {"id": f"{name} {way}", "question": f"{way} on the {name}", "relevant": [f"{name}_cat.txt"]}
        for name in PLACES
        for way in ("sat", "who sat", "what sat fast", "tell who sat")
    ]
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    (folder / "dragoman.toml").write_text(PROJECT)
    encoder_folder("bert", folder / "base")
    for words in (
        ("index", "docs", "embedder=none"),
        ("write", "questions.jsonl", "pairs.jsonl", "kind=pairs", "negatives=2"),
    ):
        said = dragoman(*words, folder=folder)
        assert said.code == 0, said.whole
    return folder


@pytest.fixture(scope="module")
def run(place: Path) -> str:
    """The run of a model that rates passages."""
    said = dragoman("train", "objective=reward", "tuning=full", "--json", folder=place)
    assert said.code == 0, said.whole
    assert said.json["validation"]["accuracy"] > 0.9
    name: str = said.json["run"]
    return name


def first(place: Path, *words: str) -> Any:
    """The first passage that a question finds."""
    said = dragoman("ask", "who sat on the bus", "index=index.sqlite", "threshold=-1", "--json", *words, folder=place)
    assert said.code == 0, said.whole
    return said.json["answers"][0]["passages"][0]


def test_what_words_mistake_is_put_right(place: Path, run: str) -> None:
    assert first(place)["source"] == "bus_dog.txt"
    for spec in (run, f"runs/{run}", f"runs/{run}/model"):
        assert first(place, f"rerank={spec}")["source"].endswith("_cat.txt")
    nothing = dragoman("ask", "who sat", "index=index.sqlite", "rerank=base", folder=place)
    assert nothing.code == 2 and "no model that rates passages" in nothing.whole


def test_it_is_measured_beside_the_search_alone(place: Path, run: str) -> None:
    words = ("evaluate", "index.sqlite", "questions.jsonl", "threshold=-1", "--json")
    plain = dragoman(*words, folder=place).json
    told = dragoman(*words, f"rerank={run}", folder=place)
    assert told.code == 0, told.whole
    assert "again" not in plain["retrieval"] and told.json["retrieval"]["bm25"] == plain["retrieval"]["bm25"]
    ways = {way: found["mrr"]["value"] for way, found in told.json["retrieval"].items()}
    assert ways["again"] > ways["bm25"]
    assert {(one["a"], one["b"]) for one in told.json["comparisons"]} == {("bm25", "again")}
    assert told.json["run"] != plain["run"]
    assert told.json["learnt"] > 12 and "learnt" not in plain  # most of its questions taught it
    shown = dragoman(*words[:-1], f"rerank={run}", folder=place)
    assert f"{told.json['learnt']} of them taught what ranks again" in " ".join(shown.whole.split())
    assert "ranked again" in shown.whole and "again - bm25, ndcg@10" in shown.whole


def test_a_rung_answers_with_it(place: Path, run: str) -> None:
    """The rung keeps which model it was, by what it holds."""
    rows = [{"prompt": f"who sat on the {name} {row}", "response": "the cat"} for name in PLACES for row in range(4)]
    (place / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("run", "data.source=rows.jsonl", f"documents.rerank={run}", "--json")
    said = dragoman(*words, folder=place)
    assert said.code in (0, 1), said.whole
    [made] = [one for one in (place / "runs").iterdir() if one.name.startswith("rag-")]
    card = json.loads((made / "model" / "dragoman.json").read_text())
    assert card["documents"]["rerank"].endswith(f"{run}/model") and card["rerank"]
    asked = dragoman("ask", made.name, "who sat on the bus", "--json", folder=place)
    assert asked.json["answers"][0]["passages"][0]["source"].endswith("_cat.txt")
