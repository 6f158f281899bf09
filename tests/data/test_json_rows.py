"""JSON rows: lines and lists, with their places, and any text comes back."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.reading import ROWS, found, only, values


def test_json_lines_under_three_names(tmp_path: Path) -> None:
    content = "".join(json.dumps(row) + "\n" for row in ROWS)
    for name in ("a.jsonl", "a.ndjson", "a.json"):
        assert values(tmp_path / name, content) == list(ROWS)
    assert values(tmp_path / "a.jsonl.gz", gzip.compress(content.encode())) == list(ROWS)


def test_a_json_list_over_many_pieces(tmp_path: Path) -> None:
    many = list(ROWS) * 20_000
    for indent in (None, 2):
        assert values(tmp_path / "a.json", json.dumps(many, indent=indent)) == many


def test_places_in_a_json_list(tmp_path: Path) -> None:
    content = '[\n  {"text": "a"},\n  {"text": "b", "n": NaN}\n]'
    assert str(only(tmp_path / "a.json", content).place) == "a.json:3:22"


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), min_size=1))
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("any") / "a.jsonl"
    for ascii_only in (True, False):
        content = "".join(json.dumps({"text": text}, ensure_ascii=ascii_only) + "\n" for text in texts)
        assert [row.values["text"] for row in found(path, content)[0]] == texts
