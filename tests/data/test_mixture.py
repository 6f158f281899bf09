"""A mixture reads each of its sets as its file says, and every example knows its set."""

from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.data.load import guess_task, load
from dragoman.data.mixture import read_mixture

SETS = """
[sums]
source = "sums.jsonl"

[moods]
source = "moods.jsonl"
template = "sentiment"
"""


def test_every_example_knows_its_set(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "mix.toml").write_text(SETS)
    (tmp_path / "inner" / "sums.jsonl").write_text('{"document": "A long text.", "summary": "Short. "}\n')
    (tmp_path / "inner" / "moods.jsonl").write_text('{"text": "Good.", "label": 1}\n{"text": "", "label": 7}\n')
    loaded = load("inner/mix.toml", root=tmp_path, task="write")
    assert [(one.meta["task"], one.answers) for one in loaded.examples] == [
        ("sums", ("Short.",)),
        ("moods", ("positive",)),
    ]
    assert (loaded.shape, guess_task(loaded), loaded.rows) == ("mixture", "write", 3)
    assert loaded.said[0] == "sums: shape = summarize"
    assert dict(loaded.notes) == {"trimmed": 1}
    assert [problem.name for problem in loaded.problems] == ["template-failed"]
    assert "moods.label" in loaded.schema


@pytest.mark.parametrize(
    ("text", "word"),
    [("a = 1", "no table"), ("[a]\nshape = 'chat'", "no source"), ("", "names no set"), ("[a]\nsorce = 'x'", "sorce")],
)
def test_what_is_no_mixture_is_a_users_mistake(tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / "mix.toml").write_text(text)
    with pytest.raises(UserError, match=word):
        read_mixture(tmp_path / "mix.toml")
    with pytest.raises(UserError, match="no mixture"):
        read_mixture(tmp_path / "other.toml")
