"""Every fault of the data gets one message with what mends it, exit code 2, and nothing is lost."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command import Said, dragoman
from tests.tiny import rows, write_rows

ROWS = rows(90)
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def refused(said: Said) -> str:
    """The message of a command that was given a mistake: one problem, one hint, no traceback."""
    assert said.code == 2, said
    assert "Traceback" not in said.err
    problem, hint = said.json["error"]["problem"], said.json["error"]["hint"]
    assert problem
    assert hint
    assert said.err.count("dragoman: ") == 1
    assert f"dragoman: {problem}" in said.err
    return f"{problem}\n{hint}"


def long_line(path: Path) -> None:
    """A line of 100 MB between two good ones."""
    with path.open("wb") as stream:
        stream.write(LINES)
        stream.write(b'{"label":"money","text":"')
        for _ in range(100):
            stream.write(b"a" * 1_000_000)
        stream.write(b'"}\n')


FAULTS: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "missing columns": (
        lambda path: write_rows(path, [{"words": row["text"], "kind": str(n)} for n, row in enumerate(ROWS)]),
        ("no column holds a label", "words", "data.columns.label=NAME"),
    ),
    "one class only": (
        lambda path: write_rows(path, [{**row, "label": "money"} for row in ROWS]),
        ("only the label 'money'", "data.columns.label=NAME"),
    ),
    "a class with one row": (
        lambda path: write_rows(
            path, [*({**row, "label": "money"} for row in ROWS[1::2]), *rows(40, noise=0)[:1], *rows(40, noise=0)[1:2]]
        ),
        ("one row", "data.keep_going=true"),
    ),
    "empty and whitespace rows": (
        lambda path: write_rows(path, [*ROWS, {"text": "", "label": "money"}, {"text": " \t\u00a0", "label": "money"}]),
        ("empty-text 2", ":91:1", ":92:1", "data.keep_going=true"),
    ),
    "a line of 100 MB": (long_line, ("long-line 1", ":91:1", "8,000,000", "data.max_line=SIZE")),
    "a wrong encoding": (
        lambda path: path.write_bytes(LINES + '{"text": "café", "label": "money"}\n'.encode("latin-1")),
        ("not UTF-8", ":91:14", "iconv -f LATIN1"),
    ),
    "a NUL": (
        lambda path: path.write_bytes(LINES + b'{"text": "a\x00b", "label": "money"}\n'),
        ("NUL", ":91:12", "tr -d"),
    ),
    "a key twice": (
        lambda path: path.write_bytes(LINES + b'{"text": "one", "text": "two", "label": "money"}\n'),
        ("the key 'text' stands twice", ":91:"),
    ),
    "a label outside the scope": (
        lambda path: write_rows(path, [*ROWS, {"text": "a fish in the sea", "label": "fish"}]),
        ("'fish' is not one of the scope", "garden, kitchen, money", ":91:1"),
    ),
    "no rows at all": (lambda path: path.write_bytes(b""), ("rows.jsonl", "data.source=")),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("verb", ["check", "run"])
def test_a_fault_in_the_data(fault: str, verb: str, tiny_project: Path) -> None:
    write, said = FAULTS[fault]
    write(tiny_project / "rows.jsonl")
    if verb == "check":
        told = dragoman("check", "--json")
        assert told.code == 2, told
        if "error" in told.json:
            refused(told)
        else:
            errors = [one for one in told.json["findings"] if one["severity"] == "error"]
            assert len(errors) == told.json["errors"] > 0
            assert all(one["hint"] for one in errors)
    else:
        message = refused(dragoman("run", "--json"))
        for part in said:
            assert part in message
    assert not list((tiny_project / "runs").glob("*/model"))


def test_good_rows_go_on_without_the_bad_ones(tiny_project: Path) -> None:
    (tiny_project / "rows.jsonl").write_bytes(
        LINES + b'{"text": "", "label": "money"}\n{"text": "a\x00", "label": "x"}\n'
    )
    told = dragoman("prepare", "data.keep_going=true", "--json")
    assert told.code == 0
    rejects = (tiny_project / told.json["folder"] / "rejects.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["line"] for line in rejects] == [91, 92]
    assert "1 empty-text" in dragoman("prepare", "data.keep_going=true").whole


def test_test_rows_that_stand_in_train(tiny_project: Path) -> None:
    write_rows(tiny_project / "test.jsonl", rows()[:10])
    message = refused(dragoman("run", "data.test=test.jsonl", "--json"))
    assert "10 of 10 test rows stand in train" in message
    assert 'data.overlap="drop"' in message
    told = dragoman("prepare", "data.test=test.jsonl", 'data.overlap="drop"', "--json")
    assert told.code == 0
    assert told.json["data"]["parts"]["test"] == 10


def test_a_file_that_is_not_there(tiny_project: Path) -> None:
    message = refused(dragoman("run", "data=row.jsonl", "--json"))
    assert "row.jsonl" in message
    assert "did you mean" in message


def test_evaluate_on_labels_the_model_does_not_know(judged: Path) -> None:
    write_rows(judged / "fish.jsonl", [{"text": "a fish in the sea", "label": "fish"}, *rows(9)])
    message = refused(dragoman("evaluate", "full", "data=fish.jsonl", "--json"))
    assert "'fish'" in message
    assert "garden, kitchen, money" in message
    kept = dragoman("evaluate", "full", "data=fish.jsonl", "data.keep_going=true", "--json")
    assert kept.json["metrics"]["accuracy"]["n"] == 9


def test_evaluate_without_data(judged: Path) -> None:
    message = refused(dragoman("evaluate", "full", "--json"))
    assert "data=PATH" in message


def test_evaluate_on_a_file_with_other_columns(judged: Path) -> None:
    write_rows(judged / "other.jsonl", [{"note": row["text"], "room": row["label"]} for row in rows(60, seed=9)])
    guessed = dragoman("evaluate", "full", "data=other.jsonl", "--json")
    given = dragoman(
        "evaluate", "full", "data=other.jsonl", "data.columns.text=note", "data.columns.label=room", "--json"
    )
    assert guessed.json["metrics"]["accuracy"] == given.json["metrics"]["accuracy"]
    assert given.json["metrics"]["accuracy"]["n"] == 60
