"""What an exported app says of its server, and where models beside its own are found."""

from dataclasses import replace
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.stages.exported import filled, is_exported, placed
from dragoman.stages.serve import Keeping, Settings


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "runs").mkdir(parents=True)
    (folder / "serve.toml").write_text('run = "lora-1"\nport = 8100\nqueue = 7\n[keep]\ndays = 3.0\n')
    return folder


def test_its_file_fills_what_was_not_given(app: Path) -> None:
    given = Settings(run=str(app), queue=9, host="127.0.0.2")
    found = filled(given, given.run)
    assert (found.run, found.runs) == ("lora-1", str(app / "runs"))
    assert (found.queue, found.host, found.port, found.keep) == (9, "127.0.0.2", 8100, Keeping(days=3.0))


def test_any_other_word_changes_nothing(tmp_path: Path) -> None:
    for word in ("", "lora", str(tmp_path)):
        given = Settings(run=word)
        assert filled(given, word) is given
    assert not is_exported(tmp_path)


def test_a_file_that_holds_something_else_is_told(app: Path) -> None:
    (app / "serve.toml").write_text('run = "lora-1"\nprot = 8100\n')
    with pytest.raises(UserError, match="prot"):
        filled(replace(Settings(), run=str(app)), str(app))


def test_a_model_beside_the_card_is_found_wherever_both_lie(tmp_path: Path) -> None:
    card = {"base": "beside:base", "around": {"topic": {"embedder": "beside:topic"}}, "labels": ["beside"], "most": 3}
    found = placed(card, tmp_path / "lora-1" / "model")
    assert found["base"] == str(tmp_path / "lora-1" / "base")
    assert found["around"] == {"topic": {"embedder": str(tmp_path / "lora-1" / "topic")}}
    assert (found["labels"], found["most"]) == (["beside"], 3)
