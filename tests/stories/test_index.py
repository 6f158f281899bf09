"""A person indexes documents, asks them, changes them, proves the index, and judges answers by questions."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.command import dragoman, spawn
from tests.writers import write_model

TOWER = """# The tower

The tower was built in 1889 by Gustave Eiffel. It is 330 metres tall.

## Visits

Seven million people visit the tower each year. A ticket costs 20 euros.
"""
BEES = """# Bees

Bees make honey from nectar. A hive holds about 50,000 bees. The queen lives for four years.
"""
PROJECT = """
[scope]
name = "guide"
objective = "Answer visitors from the guide, or say that it does not say."
task = "chat"
target = { token_f1 = ">= 0.05" }
[data]
source = "questions.jsonl"
near_duplicate = 1.0
[documents]
source = "docs"
[models]
candidates = ["builtin:minilm"]
[ladder]
rungs = ["rag"]
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with two documents and one that nobody can read."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "tower.md").write_text(TOWER)
    (docs / "bees.md").write_text(BEES)
    (docs / "broken.pdf").write_bytes(b"%PDF-1.4\nnothing")
    return tmp_path


def test_documents_are_indexed_asked_changed_and_proven(place: Path) -> None:
    said = dragoman("index", "docs", "--json", folder=place)
    assert said.code == 0, said.whole
    told = {one["source"]: one for one in said.json["documents"]}
    assert told["tower.md"]["state"] == "new" and told["tower.md"]["pieces"] == 2
    assert told["broken.pdf"]["state"] == "not read" and told["broken.pdf"]["problems"]
    asked = dragoman("ask", "How tall is the tower?", folder=place)
    assert asked.code == 0 and "330 metres" in asked.out and "[1] tower.md" in asked.out, asked.whole
    follow = dragoman("ask", "-c", "And who built it?", "--json", folder=place)
    (answer,) = follow.json["answers"]
    assert "Gustave Eiffel" in answer["answer"] and not answer["refused"]
    number = answer["citations"][0]
    passage = next(one for one in answer["passages"] if one["number"] == number["number"])
    assert "1889" in passage["text"][number["start"] : number["end"]]
    assert dragoman("index", "verify", folder=place).code == 0
    again = dragoman("index", "docs", "--json", folder=place).json
    assert again["embedded"] == 0 and {one["state"] for one in again["documents"]} == {"unchanged", "not read"}
    (place / "docs" / "bees.md").write_text(BEES + "\nDrones have no sting.\n")
    (place / "docs" / "tower.md").unlink()
    wrong = dragoman("index", "verify", folder=place)
    assert wrong.code == 1 and "bees.md: has changed since" in wrong.whole and "tower.md" in wrong.whole
    moved = dragoman("index", "--json", folder=place).json  # the places are known
    assert moved["removed"] == ["tower.md"] and moved["embedded"] == 1
    assert dragoman("index", "verify", folder=place).code == 0
    gone = dragoman("ask", "Who won the world cup?", folder=place)
    assert gone.code == 1 and "not in the documents" in gone.out


def test_killed_while_it_reads_it_goes_on(place: Path) -> None:
    for number in range(300):
        (place / "docs" / f"note-{number}.md").write_text(f"# Note {number}\n\nThe number of this note is {number}.\n")
    with spawn("index", "docs", folder=place) as running:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and running.poll() is None and not (place / "index.sqlite").exists():
            time.sleep(0.02)
        time.sleep(0.3)
        os.kill(running.pid, signal.SIGKILL)
    said = dragoman("index", "docs", "--json", folder=place)
    assert said.code == 0 and len(said.json["documents"]) == 303, said.whole
    assert dragoman("index", "verify", folder=place).code == 0


def test_a_model_answers_and_is_held_against_the_documents(place: Path) -> None:
    write_model(place / "llama")
    dragoman("index", "docs", folder=place)
    said = dragoman("ask", "How tall is the tower?", "model=llama", "how.max_tokens=8", "--json", folder=place)
    assert said.code in (0, 1), said.whole
    (answer,) = said.json["answers"]
    assert any(step.startswith("cite@") for step in answer["trace"])
    (place / "questions.jsonl").write_text(
        "".join(json.dumps({"prompt": f"How tall is it ({row})?", "completion": "330"}) + "\n" for row in range(24))
    )
    (place / "dragoman.toml").write_text(PROJECT.replace('source = "docs"', 'source = "docs"\nmodel = "llama"'))
    judged = dragoman("run", "models.max_tokens=8", "--json", folder=place)
    assert judged.code in (0, 1), judged.whole


@pytest.mark.slow
def test_a_project_with_documents_is_judged(place: Path) -> None:
    facts = [("How tall is the tower?", "330 metres"), ("Who built the tower?", "Gustave Eiffel")]
    facts += [("How many bees live in a hive?", "about 50,000"), ("What do bees make?", "honey")]
    rows = [{"prompt": f"{question} ({row})", "completion": answer} for row in range(12) for question, answer in facts]
    (place / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (place / "dragoman.toml").write_text(PROJECT)
    said = dragoman("run", "--json", folder=place)
    assert said.code == 0, said.whole
    assert said.json["rung"] == "rag" and said.json["verdict"] == "no_adaptation_needed"
    again = dragoman("run", "--json", folder=place)
    assert again.json["run"] == said.json["run"]
    assert not list((place / "runs").glob("rag-*/index"))
    answer = dragoman("ask", "rag", "How tall is the tower?", "--json", folder=place)
    assert answer.code == 0 and "330 metres" in answer.json["answers"][0]["answer"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("index",), "no documents are named"),
        (("index", "nowhere"), "nowhere"),
        (("index", "docs", "embedder=nowhere"), "nowhere"),
        (("index", "docs", "tokens=0"), "0"),
        (("index", "docs", "tokens=4000"), "pieces may have 4000"),
        (("index", "verify"), "there is no index"),
        (("ask", "Who?", "index=none.sqlite"), "there is no index none.sqlite"),
    ],
)
def test_mistakes_are_one_message(place: Path, words: tuple[str, ...], problem: str) -> None:
    said = dragoman(*words, folder=place)
    assert said.code == 2 and problem in said.whole, said.whole


def test_a_file_that_is_no_index_is_left_alone(place: Path) -> None:
    (place / "index.sqlite").write_bytes(b"precious")
    said = dragoman("index", "docs", folder=place)
    assert said.code == 2, said.whole
    assert (place / "index.sqlite").read_bytes() == b"precious"
