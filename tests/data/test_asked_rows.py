"""Prompts with the answers there are, in the forms that rows have them."""

import json
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Message
from dragoman.data.asked_rows import Asked, read_asked

HELLO = (Message("user", "Hello."),)


def read(folder: Path, *rows: Any, keep_going: bool = False) -> list[Asked]:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_asked(str(folder / "rows.jsonl"), keep_going=keep_going)[0]


def test_the_forms_of_a_row(tmp_path: Path) -> None:
    spoken = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hi."}]
    found = read(
        tmp_path,
        {"prompt": "Hello.", "id": 7, "benign": True},
        {"messages": spoken},
        {"prompt": "\n\nHuman: Hello.\n\nAssistant:"},
        {"prompt": "Hello.", "completions": ["a", {"text": "b"}, "a"]},
        {"prompt": "Hello.", "chosen": "a", "rejected": "b"},
        {"chosen": "\n\nHuman: Hello.\n\nAssistant: a", "rejected": "\n\nHuman: Hello.\n\nAssistant: b"},
    )
    assert {one.prompt for one in found} == {HELLO}
    assert found[0] == Asked("7", HELLO, benign=True)
    assert [one.answers for one in found[1:]] == [(), (), ("a", "b"), ("a", "b"), ("a", "b")]
    assert [one.decided for one in found] == [False] * 4 + [True] * 2
    (tmp_path / "plain.txt").write_text("Hello.\n")
    assert read_asked(str(tmp_path / "plain.txt"))[0] == [Asked("1", HELLO)]


@pytest.mark.parametrize(("row", "said"), [
    ({"answer": "x"}, "there is no prompt in this row"),
    ({"prompt": 3}, "a prompt is no int"),
    ({"messages": [{"role": "assistant", "content": "x"}]}, "nobody asks"),
    ({"prompt": "x", "completions": ["a"]}, "two to four completions, and this one 1 completions"),
    ({"prompt": "x", "completions": ["a", " "]}, "a completion is empty"),
    ({"prompt": "x", "benign": "yes"}, "benign is 'yes'"),
])  # fmt: skip
def test_a_row_that_cannot_be_read(tmp_path: Path, row: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read(tmp_path, {"prompt": "Hello."}, row)
    assert read(tmp_path, {"prompt": "Hello."}, row, keep_going=True) == [Asked("1", HELLO)]
    with pytest.raises(UserError, match="holds no prompt"):
        read(tmp_path, row, keep_going=True)
