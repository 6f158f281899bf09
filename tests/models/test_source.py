"""A name leads to one folder that can be trusted, or to one message."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.models.source import fingerprint, resolve
from tests.nn.tiny import classifier_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return classifier_folder("bert", tmp_path / "model")


def test_a_path_is_a_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve(folder) == resolve(str(folder)) == folder.resolve()
    monkeypatch.setenv("HOME", str(folder.parent))
    assert resolve("~/model") == folder.resolve()


@pytest.mark.parametrize(
    ("spec", "said", "hint"),
    [
        ("builtin:minilmm", "no model 'builtin:minilmm'", "did you mean 'minilm'"),
        ("nowhere/model", "no model 'nowhere/model'", "builtin:minilm"),
        ("hf:", "no model 'hf:'", "hf:owner/name"),
        ("hf:not a name", "not a name", "hf:owner/name"),
        ("hf:nobody/nothing", "could not be fetched", "the network"),
        ("ftp:x", "no model 'ftp:x'", "hf:owner/name"),
    ],
)
def test_a_name_that_leads_nowhere(spec: str, said: str, hint: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        resolve(spec)
    assert hint in caught.value.hint


def test_hub_files_are_limited_to_what_is_safe(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def download(name: str, **settings: Any) -> str:
        asked.append((name, settings))
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert resolve("hf:owner/name@v1") == folder.resolve()
    [(name, settings)] = asked
    assert (name, settings["revision"]) == ("owner/name", "v1")
    assert set(settings["allow_patterns"]) == {"*.json", "*.txt", "*.safetensors", "*.model", "*.jinja"}


def test_pickles_and_code_are_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "net.Net"}}))
    with pytest.raises(UserError, match="auto_map"):
        resolve(folder)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="pickled"):
        resolve(folder)


def test_the_fingerprint_follows_the_content(folder: Path) -> None:
    before = fingerprint(folder)
    assert before == fingerprint(folder)
    assert len(before) == 64
    (folder / "tokenizer_config.json").write_text("{}")
    assert fingerprint(folder) != before


def test_asking_for_a_model_does_not_wait_for_torch(folder: Path, root: Path) -> None:
    script = (
        "import sys; from dragoman.models.source import fingerprint, resolve; "
        f"fingerprint(resolve({str(folder)!r})); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=root, check=False).returncode == 0
