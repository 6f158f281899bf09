"""The data card: figures that add up, ready for JSON, without the sealed rows."""

import json
from pathlib import Path

from dragoman.data.card import card
from dragoman.data.load import load
from dragoman.data.split import split


def test_the_card_adds_up(tmp_path: Path) -> None:
    rows = [
        {"text": f"{'word' + str(n)} {'other' + str(n * 7)} {chr(97 + n % 26) * 9}", "label": n % 2} for n in range(100)
    ]
    rows += [{"text": " ", "label": 1}, {"text": " key AKIA" + "IOSFODNN7EXAMPLE", "label": 0}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "\n")
    loaded = load("a.jsonl", root=tmp_path)
    parts = split(loaded.examples)
    made = card([loaded], parts, count=lambda texts: [len(text.split()) for text in texts], max_length=2)
    assert made["rows"] == {"read": 102, "kept": 101, "refused": {"empty-text": 1}, "dropped": {}}
    assert made["notes"] == {"blank-line": 1, "trimmed": 1}
    assert sum(made["parts"].values()) == 101
    assert {name: sum(held[name] for held in made["labels"].values()) for name in made["parts"]} == made["parts"]
    assert made["length"]["tokens"]["max"] == 3
    assert made["length"]["cut"]["rows"] == 100
    assert made["sources"][0]["columns"]["text"] == "text"
    assert len(made["problems"]) == 1
    text = json.dumps(made)
    assert "IOSFODNN7EXAMPLE" not in text
    sealed = {row.text for row in parts.test}
    assert not sealed & {sample["text"] for listed in made["samples"].values() for sample in listed}
