"""A project is opened with rungs and training settings checked, and commands name it from where the person stands."""

from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.stages.settled import command, settled


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The smallest project file."""
    path = tmp_path / "dragoman.toml"
    path.write_text('[data]\nsource = "rows.jsonl"\n', encoding="utf-8")
    return path


def test_a_good_project(file: Path) -> None:
    assert settled(str(file), ("train.rate=1e-3",)).train == {"rate": 1e-3}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("ladder.rungs=[]", "is empty"),
        ('ladder.rungs=["lra"]', "no rung named 'lra'"),
        ('ladder.rungs=["head", "head"]', "'head' twice"),
        ("train.rat=1", "train.rat"),
        ("train.batch=0", "train.batch"),
    ],
)
def test_a_mistake_is_answered_before_any_work(word: str, said: str, file: Path) -> None:
    with pytest.raises(UserError, match=said):
        settled(str(file), (word,))


def test_commands_are_fit_for_a_shell() -> None:
    assert command("run", "") == "dragoman run"
    assert command("run", "my project") == "dragoman run 'my project'"
