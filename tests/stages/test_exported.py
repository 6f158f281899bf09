"""What an exported app says of its server, and where models beside its own are found."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from dragoman import cli
from dragoman.core.config import build
from dragoman.core.errors import UserError
from dragoman.stages import serve
from dragoman.stages.exported import is_exported, laid, placed
from dragoman.stages.serve import Keeping, Settings


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "runs").mkdir(parents=True)
    (folder / "serve.toml").write_text('run = "lora-1"\nport = 8100\nqueue = 7\n[keep]\ndays = 3.0\nshare = 0.5\n')
    return folder


def served(*words: str) -> Settings:
    """The settings that the command line makes of these words."""
    kept: list[Settings] = []
    stage = SimpleNamespace(**vars(serve) | {"run": lambda settings, words, show: kept.append(settings) or 0})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "stage_of", lambda verb: stage)
        assert cli.main(["serve", *words]) == 0
    return kept[0]


def test_its_file_fills_what_was_not_given(app: Path) -> None:
    found = served(str(app), "queue=9", "host=127.0.0.2")
    assert (found.run, found.runs) == ("lora-1", str(app / "runs"))
    assert (found.queue, found.host, found.port, found.keep) == (9, "127.0.0.2", 8100, Keeping(share=0.5, days=3.0))


def test_a_word_wins_though_it_is_the_default_and_undoes_no_other_line(app: Path) -> None:
    found = served(str(app), "port=8000", "queue=32", "keep.strict=true", "days=30")
    assert (found.port, found.queue) == (8000, 32)
    assert found.keep == Keeping(share=0.5, days=30.0, strict=True)
    assert served(str(app), "keep=false").keep == Keeping(on=False, share=0.5, days=3.0)


def test_any_other_word_changes_nothing(tmp_path: Path, app: Path) -> None:
    for given in ({}, {"run": "lora"}, {"run": str(tmp_path), "keep": {"days": 2.0}}):
        assert laid(given) == given
    assert not is_exported(tmp_path)
    keys = {"run": str(app), "new_key": True, "keys": "keys.txt"}
    assert serve.laid(keys) == keys


def test_a_file_that_holds_something_else_is_told(app: Path) -> None:
    (app / "serve.toml").write_text('run = "lora-1"\nprot = 8100\n')
    with pytest.raises(UserError, match="prot"):
        build(Settings, laid({"run": str(app)}))


def test_a_model_beside_the_card_is_found_wherever_both_lie(tmp_path: Path) -> None:
    card = {"base": "beside:base", "around": {"topic": {"embedder": "beside:topic"}}, "labels": ["beside"], "most": 3}
    found = placed(card, tmp_path / "lora-1" / "model")
    assert found["base"] == str(tmp_path / "lora-1" / "base")
    assert found["around"] == {"topic": {"embedder": str(tmp_path / "lora-1" / "topic")}}
    assert (found["labels"], found["most"]) == (["beside"], 3)
