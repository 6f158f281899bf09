"""JSON objects that hold their rows in a list named data, SQuAD's among them."""

import json
from pathlib import Path

from tests.data.reading import found, only, values

ARTICLE = {
    "title": "Saws",
    "paragraphs": [
        {"context": "A saw cuts.", "qas": [{"id": "1", "question": "What cuts?", "answers": []}, {"id": "2"}]}
    ],
}


def test_each_question_is_a_row(tmp_path: Path) -> None:
    made = values(tmp_path / "a.json", json.dumps({"version": "1.1", "data": [ARTICLE, ARTICLE], "more": 1}))
    assert len(made) == 4
    assert made[0] == {
        "context": "A saw cuts.",
        "id": "1",
        "question": "What cuts?",
        "answers": [],
        "title": "Saws",
    }


def test_plain_rows_inside_and_over_several_lines(tmp_path: Path) -> None:
    text = json.dumps({"data": [{"text": "a"}, {"text": "b"}]}, indent=2)
    rows, _ = found(tmp_path / "a.json", text)
    assert [(row.values["text"], row.place.line) for row in rows] == [("a", 3), ("b", 6)]


def test_rows_that_hold_a_list_named_data_stay_rows(tmp_path: Path) -> None:
    assert values(tmp_path / "a.json", '{"data": ["a", "b"]}\n{"data": ["c"]}\n') == [
        {"data": ["a", "b"]},
        {"data": ["c"]},
    ]


def test_what_is_broken_is_named(tmp_path: Path) -> None:
    assert only(tmp_path / "a.json", json.dumps({"data": [{"paragraphs": [{"context": "x"}]}]})).name == "malformed"
    assert only(tmp_path / "b.json", json.dumps({"data": [{"paragraphs": [{"qas": [5]}]}]})).name == "malformed"
    assert only(tmp_path / "c.json", '{"data": [{"a": 1}').name == "truncated"
    assert only(tmp_path / "d.json", '{"data": []}').name == "empty-file"
