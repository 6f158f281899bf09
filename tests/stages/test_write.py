"""Rows that are written through the command line: each kind, its card, going on, and that none is measured on."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.config import build
from dragoman.data.load import load
from dragoman.stages.write import Settings
from tests.command import dragoman
from tests.models.engine import Engine, chat

WORDS = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "jetty", "knoll", "ledge"]
SEEDS = [
    {"instruction": f"Say the {one} word", "input": other, "output": other}
    for one, other in zip(WORDS, WORDS[::-1], strict=True)
]
PROJECT = """
[scope]
name = "tone"
objective = "Tell praise from blame."
task = "classify"
target = { accuracy = ">= 0.1" }
[data]
source = "data"
"""


def fresh(number: int) -> str:
    """A text unlike any other."""
    return " ".join(f"{WORDS[(number * step + step) % 12]}{number}" for step in (1, 5, 7, 11))


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine that answers what its `say` gives for what it is asked."""
    stub = Engine()
    yield stub
    stub.release.set()
    stub.server.shutdown()
    stub.server.server_close()


def saying(stub: Engine, say: Callable[[Any], str]) -> str:
    """Let the engine say it, and the name of its model."""
    stub.answers = [lambda body: (200, chat(say(body)))]
    return f"model=openai:{stub.url}#m"


def put(path: Path, rows: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def read(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_rows_are_written_with_a_card_and_the_same_command_asks_nothing_anew(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path / "seeds.jsonl", SEEDS)

    def say(body: Any) -> str:
        assert body["response_format"]["json_schema"]["schema"]["required"] == ["instruction", "input", "output"]
        number = json.loads(body["messages"][-1]["content"])["number"]
        said = "" if number % 3 == 0 else fresh(number)
        return json.dumps({"instruction": said, "input": "", "output": "yes"})

    words = ("write", "seeds.jsonl", saying(engine, say), "n=6", "--json")
    told = dragoman(*words, folder=tmp_path)
    assert told.code == 0, told.whole
    assert (told.json["rows"], told.json["asked"], told.json["seed_rows"]) == (6, 16, 12)
    assert told.json["left_out"] == {"empty": 3, "beyond what was wanted": 7} and told.json["fresh"] == 16
    rows = read(tmp_path / "seeds.written.jsonl")
    assert all(row["generated"] is True and row["by"] == words[2][6:] and row["seeds"] for row in rows)
    card = json.loads((tmp_path / "seeds.written.card").read_text())
    assert card["prompt_hash"] == rows[0]["prompt_hash"] and card["settings"]["temperature"] == 0.7
    assert card["left_out"] == told.json["left_out"] and card["seeds_sha256"] and card["sha256"]
    assert engine.asked[0][1]["temperature"] == 0.7
    loaded = load(str(tmp_path / "seeds.written.jsonl"), task="chat")
    assert loaded.shape == "instruct" and all(one.meta["generated"] for one in loaded.examples)
    before, count = (tmp_path / "seeds.written.jsonl").read_bytes(), len(engine.asked)
    again = dragoman(*words, folder=tmp_path)
    assert (again.json["fresh"], len(engine.asked)) == (0, count)
    assert (tmp_path / "seeds.written.jsonl").read_bytes() == before
    (tmp_path / "seeds.written.jsonl").write_bytes(before + b'{"mine": 1}\n')
    refused = dragoman(*words, folder=tmp_path)
    assert refused.code == 2 and "was changed since it was written" in refused.whole
    assert (tmp_path / "seeds.written.jsonl").read_bytes().startswith(before)
    assert (tmp_path / "seeds.written.jsonl").read_bytes().endswith(b'{"mine": 1}\n')


def test_a_project_gives_its_training_part_and_none_is_measured_on(engine: Engine, tmp_path: Path) -> None:
    people = [{"text": fresh(number), "label": "praise" if number % 2 else "blame"} for number in range(60)]
    put(tmp_path / "data" / "people.jsonl", people)
    (tmp_path / "dragoman.toml").write_text(PROJECT)
    shown: set[str] = set()

    def say(body: Any) -> str:
        asked = json.loads(body["messages"][-1]["content"])
        shown.update(one["text"] for one in asked["examples"])
        return json.dumps({"text": fresh(1000 + asked["number"])})

    before = dragoman("prepare", "--json", folder=tmp_path).json
    words = ("write", ".", "data/made.jsonl", saying(engine, say), "n=10", "--json")
    told = dragoman(*words, folder=tmp_path)
    assert told.code == 0, told.whole
    assert told.json["labels"] == {"blame": 5, "praise": 5}
    train = {row["prompt"][0]["content"] for row in read(Path(tmp_path, before["folder"], "parts", "train.jsonl"))}
    made = {row["text"] for row in read(tmp_path / "data" / "made.jsonl")}
    assert shown <= train | made and shown & train
    after = dragoman("prepare", "--json", folder=tmp_path).json
    for name in ("validation", "test"):
        assert after["data"]["parts"][name] == before["data"]["parts"][name]
    assert after["data"]["parts"]["train"] == before["data"]["parts"]["train"] + 10
    held = read(Path(tmp_path, after["folder"], "parts", "validation.jsonl"))
    assert held == read(Path(tmp_path, before["folder"], "parts", "validation.jsonl"))
    refused = dragoman("prepare", "data.test=data/made.jsonl", folder=tmp_path)
    assert refused.code == 2 and "10 of 10 rows of data.test are generated" in refused.whole


def test_programs_are_kept_where_their_tests_pass(engine: Engine, tmp_path: Path) -> None:
    pytest.importorskip("dragoman.app.sandbox.box")
    tasks = [
        {"task_id": name, "prompt": f"def {name}(a, b):\n", "entry_point": name, "test": test}
        for name, test in (
            ("add", "def check(f):\n    assert f(2, 3) == 5\n"),
            ("sub", "def check(f):\n    assert f(2, 3) == -1\n"),
        )
    ]
    put(tmp_path / "tasks.jsonl", tasks)

    def say(body: Any) -> str:
        name = "add" if "def add" in body["messages"][-1]["content"] else "sub"
        return f"```python\ndef {name}(a, b):\n    return a + b\n```"

    told = dragoman("write", "tasks.jsonl", "kind=code", saying(engine, say), "--json", folder=tmp_path)
    if told.code == 2 and "shut it in" in told.whole:
        pytest.skip("no sandbox here")
    assert (told.json["rows"], told.json["solved"], told.json["pass_at_1"]) == (1, 1, 0.5), told.whole
    [row] = read(tmp_path / "tasks.written.jsonl")
    assert row["id"] == "add/0" and row["generated"] is True and "return a + b" in row["output"]
    assert told.json["left_out"] == {"programs that fail their tests": 1}


def test_pairs_come_from_an_index(tmp_path: Path) -> None:
    pytest.importorskip("Stemmer")
    for name, text in (("tower", "The tower is 330 metres tall."), ("cards", "A tall tower of cards.")):
        put(tmp_path / "docs" / f"{name}.txt", [])
        (tmp_path / "docs" / f"{name}.txt").write_text(text)
    assert dragoman("index", "docs", "embedder=none", folder=tmp_path).code == 0
    sources = dragoman("index", "docs", "embedder=none", "--json", folder=tmp_path).json["documents"]
    tower = next(one["source"] for one in sources if "tower" in one["source"])
    put(tmp_path / "asked.jsonl", [{"question": "How tall is the tower?", "relevant": [tower]}])
    told = dragoman("write", "asked.jsonl", "kind=pairs", "--json", folder=tmp_path)
    assert told.code == 0, told.whole
    [row] = read(tmp_path / "asked.written.jsonl")
    assert "330 metres" in row["chosen"] and "cards" in row["rejected"] and row["group"] == "1"
    assert load(str(tmp_path / "asked.written.jsonl"), task="chat").examples[0].rejected == row["rejected"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no seeds are named"),
        (("seeds.jsonl",), "no model is named"),
        (("seeds.jsonl", "model=fake:", "n=0"), "n cannot be 0"),
        (("seeds.jsonl", "seeds.jsonl", "model=fake:"), "is read by this command"),
        (("seeds.jsonl", "one.jsonl", "model=fake:"), "one.jsonl was changed since it was written, or is another file"),
        (("seeds.jsonl", "model=fake:", "how.temperature=0"), "how.temperature is not looked at here"),
        (("seeds.jsonl", "model=fake:", "how.max_tokens=64"), "how.max_tokens is not looked at here"),
        (("one.jsonl", "model=fake:"), "1 seeds"),
        (("tags.jsonl", "model=fake:"), "rows of the shape tag, which are not written here"),
        (("seeds.jsonl", "model=fake:", "n=1", "tries=2"), "2 not of the form"),
    ],
)
def test_mistakes_are_one_message(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    put(tmp_path / "seeds.jsonl", SEEDS)
    put(tmp_path / "one.jsonl", SEEDS[:1])
    put(tmp_path / "tags.jsonl", [{"tokens": ["a"], "tags": ["O"]}] * 3)
    told = dragoman("write", *words, folder=tmp_path)
    assert told.code == 2 and said in told.whole, told.whole


def test_one_word_changes_no_other_setting() -> None:
    plain, cold = build(Settings, {}), build(Settings, {"temperature": 0.0})
    assert (plain.temperature, cold.temperature, cold.max_tokens, cold.how) == (0.7, 0.0, plain.max_tokens, plain.how)
