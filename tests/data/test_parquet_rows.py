"""Parquet rows, and what is said where the library for them is missing."""

import json
import sys
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.data.problems import Problem, Row
from dragoman.data.read import scan
from tests.data.reading import ROWS, only


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.Table.from_pylist([*ROWS, {"text": "a\x00", "label": "c"}]), tmp_path / "a.parquet")
    items = list(scan("a.parquet", root=tmp_path))
    assert [item.values for item in items if isinstance(item, Row)] == list(ROWS)
    assert [item.name for item in items if isinstance(item, Problem)] == ["nul"]
    assert only(tmp_path / "b.parquet", b"PAR1 but nothing else").name == "malformed"


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError) as caught:
        list(scan("a.parquet", root=tmp_path))
    assert caught.value.hint == 'pip install "dragoman[data]"'


def test_numbers_of_a_list_get_the_names_that_the_file_notes(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.Table.from_pylist([{"tokens": ["Ann", "sings"], "tags": [1, 7], "label": 0}])
    named = {"feature": {"names": ["O", "B-PER"], "_type": "ClassLabel"}, "_type": "Sequence"}
    features = {"tags": named, "label": {"names": ["a"], "_type": "ClassLabel"}, "tokens": [{"_type": "Value"}]}
    for note, tags in ((json.dumps({"info": {"features": features}}), ["B-PER", 7]), ("[1]", [1, 7])):
        parquet.write_table(table.replace_schema_metadata({"huggingface": note}), tmp_path / "a.parquet")
        [row] = scan("a.parquet", root=tmp_path)
        assert isinstance(row, Row)
        assert row.values == {"tokens": ["Ann", "sings"], "tags": tags, "label": 0}
