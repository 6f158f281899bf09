"""Tables and JSON: a line a row, a document a row, and rows that are no good told by their line."""

from dragoman.core.documents import Document
from dragoman.data.documents.rows import read_json, read_json_lines, read_table
from dragoman.data.problems import Problem
from tests.data.documents.covering import check_blocks


def test_a_table() -> None:
    (found,) = read_table(b"name;legs\nbee;6\nspider\ncrab;\n", "a.csv")
    check_blocks(found)
    assert found.text == "name: bee; legs: 6\nname: crab"
    assert found.problems == ("line 3: 1 cells under a header of 2",)


def test_lines_of_json() -> None:
    rows = b'{"id": "x", "text": "one", "n": 1}\n{"text": 3}\n{oops\n{"id": "x", "text": "two"}\n'
    found = list(read_json_lines(rows, "a.jsonl"))
    documents = [one for one in found if isinstance(one, Document)]
    assert [(one.source, one.text) for one in documents] == [("a.jsonl#x", "one"), ("a.jsonl#4", "two")]
    assert [one.place.line for one in found if isinstance(one, Problem)] == [2, 3]
    assert documents[0].meta == {"id": "x", "n": 1}


def test_other_json_is_a_line_a_value() -> None:
    (found,) = read_json(b'{"a": {"b": [1, "x"]}, "c": null, "d": true}', "a.json")
    assert isinstance(found, Document)
    assert found.text == "a.b.0: 1\na.b.1: x\nd: True"
    (listed,) = read_json(b'[{"text": "one", "title": "T"}]', "a.json")
    assert isinstance(listed, Document) and listed.title == "T"
