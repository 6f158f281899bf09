"""A user has a text explained: the page lies where the command says, and shows this text in this model."""

import json
import re
import shutil
from pathlib import Path

import pytest

from dragoman.nn.arch import Arch
from dragoman.nn.store import fresh_lm, save_lm
from tests.command import dragoman
from tests.nn.tiny import tokenizer
from tests.report.browser import open_page

TEXT = "Once upon a time, there was a little girl named Lily."


def test_a_text_goes_through_a_real_model(shared_data: Path, tmp_path: Path) -> None:
    model = shared_data / "models" / "stories260K"
    said = dragoman("explain", str(model), TEXT, "--json", folder=tmp_path)
    assert said.code == 0, said
    assert said.json["page"] == "explain.html"
    assert (said.json["family"], said.json["kind"], said.json["tokens"]) == ("llama", "decoder", 16)
    page = (tmp_path / "explain.html").read_text(encoding="utf-8")
    assert len(page.encode()) == said.json["bytes"] < 1_000_000
    opened = open_page(page, tmp_path)
    assert not opened.complaints
    assert 'data-ready="true"' in opened.text
    assert "How stories260K reads a text" in re.sub(r"<[^>]*>", "", opened.text)
    assert TEXT in opened.inside("next-context")
    assert "·She" in opened.inside("next-bars")  # what the story goes on with
    assert "number 426" in opened.inside("tokens-said")


def test_a_gap_is_filled(tmp_path: Path) -> None:
    tokens = tokenizer("bert", tmp_path / "words")
    net = fresh_lm(Arch("bert", 90, 64, 2, 4, 96, 40))
    save_lm(net, tokens, tmp_path / "model")
    roles = {f"{name.lower()}_token": f"[{name}]" for name in ("CLS", "SEP", "PAD", "UNK", "MASK")}
    (tmp_path / "model" / "special_tokens_map.json").write_text(json.dumps(roles))
    said = dragoman("explain", "model", "the [MASK] sat on the mat", "out=gap.html", folder=tmp_path)
    assert said.code == 0, said
    assert "gap.html" in said.whole
    assert "filled" in said.whole
    opened = open_page((tmp_path / "gap.html").read_text(encoding="utf-8"), tmp_path)
    assert not opened.complaints
    assert "sat on the mat" in opened.inside("masked-figure")


MISTAKES = {
    "no model": (["explain"], "no model is named"),
    "no such model": (["explain", "nowhere", TEXT], "there is no model 'nowhere'"),
    "no text": (["explain", "builtin:minilm", " "], "there is no text"),
    "no place": (["explain", "builtin:minilm", TEXT, "out=no/such/folder.html"], "is no place for a file"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_message(name: str, tmp_path: Path) -> None:
    words, problem = MISTAKES[name]
    said = dragoman(*words, "--json", folder=tmp_path)
    assert said.code == 2, said
    assert problem in said.json["error"]["problem"]
    assert said.json["error"]["hint"]
    assert not list(tmp_path.iterdir())


def test_an_architecture_that_is_not_drawn(shared_data: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shared_data / "models" / "stories260K", tmp_path / "m"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "gpt_neox"}))
    said = dragoman("explain", str(folder), TEXT, "--json", folder=tmp_path)
    assert said.code == 2
    assert "explain draws what is written here" in said.json["error"]["problem"]
    assert "dragoman generate" in said.json["error"]["hint"]


def test_a_page_at_home(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    model = shared_data / "models" / "stories260K"
    assert dragoman("explain", str(model), TEXT, "out=~/x.html", folder=tmp_path).code == 0
    assert (tmp_path / "x.html").is_file()
