"""A name leads to one folder that can be trusted, or to one message."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.models.source import fingerprint, resolve
from tests.fake_hub import TOKEN, Hub, hub_running, used
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


@pytest.fixture
def hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that holds the model beside much that must not be fetched, visible to all."""
    with hub_running() as running:
        used(running, tmp_path / "cache", monkeypatch)
        files = {file.name: file.read_bytes() for file in folder.iterdir()}
        files |= {"pytorch_model.bin": b"p", "net.py": b"import os", "model.pt": b"p", "README.md": b"#"}
        running.repos["owner/model"] = files | {"onnx/config.json": b"{}", "tokenizer.model": b"m"}
        running.private["owner/model"] = False
        yield running


def test_a_name_on_the_hub_is_fetched_once_and_only_what_is_safe(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = resolve("hf:owner/model")
    names = {file.name for file in fetched.rglob("*") if file.is_file()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer.model"} <= names
    assert all(Path(name).suffix in (".json", ".safetensors", ".txt", ".model", ".jinja") for name in names)
    assert not [call for call in hub.calls if call.endswith((".bin", ".py", ".pt", ".md")) or "onnx" in call]
    before = [call for call in hub.calls if "/resolve/" in call]
    assert resolve("hf:owner/model") == fetched
    assert [call for call in hub.calls if "/resolve/" in call] == before
    hub.refuse = 500  # the hub is ill, or there is no network: what was fetched is found
    assert resolve("hf:owner/model") == fetched
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    count = len(hub.calls)
    assert resolve("hf:owner/model") == fetched
    assert len(hub.calls) == count


@pytest.mark.parametrize(
    ("status", "said", "hint"),
    [
        (401, "it is private or is not there, or the token is not valid", "HF_TOKEN"),
        (403, "the token may not do that", "HF_TOKEN"),
        (404, "there is none, or it is private", "check the name"),
        (500, "the hub answered 500", "again later"),
    ],
)
def test_a_hub_that_refuses_is_told_clearly(hub: Hub, status: int, said: str, hint: str) -> None:
    hub.refuse = status
    with pytest.raises(UserError, match=said) as caught:
        resolve("hf:owner/model")
    assert hint in caught.value.hint
    assert TOKEN not in caught.value.problem + caught.value.hint


def test_a_private_name_needs_the_token_and_gets_it(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.private["owner/model"] = True
    monkeypatch.setenv("HF_TOKEN", "hf_" + "w" * 34)
    with pytest.raises(UserError, match="private"):
        resolve("hf:owner/model")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert (resolve("hf:owner/model") / "config.json").is_file()


def test_a_hub_that_is_not_there(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:9 is not reached"):
        resolve("hf:owner/model")
