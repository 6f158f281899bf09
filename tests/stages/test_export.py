"""A run is exported, and served from its folder elsewhere as it was served at home."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import dragoman, ended, spawn
from tests.stages.apps import classifier

KEY = "dk-of-a-test-alone"


def smoke(app: Path, url: str, key: str) -> tuple[int, str]:
    """How the app's own smoke test ends, by plain Python that knows no package."""
    told = subprocess.run(
        [sys.executable, "-I", str(app / "smoke.py"), url],
        env={**os.environ, "DRAGOMAN_KEY": key},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return told.returncode, told.stdout + told.stderr


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("app", "lora"), "out=./app"),
        (("image", "lora", "out=./app"), "what"),
        (("app", "full", "out=./app"), "no full"),
        (("app", "lora", "out=./app", "port=80"), "port"),
        (("app", "lora", "out=./app", "wheel=other.whl"), "wheel"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], part: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    told = dragoman("export", *words)
    assert told.code == 2
    assert part in told.whole
    assert not (tmp_path / "app").exists()


def test_the_app_answers_elsewhere_as_the_run_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    made = classifier(home / "runs")
    monkeypatch.chdir(home)
    told = dragoman("export", "app", "lora", "out=../elsewhere/app", "name=notes", "--json")
    assert told.code == 0, told.whole
    app = elsewhere / "app"
    held = {path.relative_to(app).as_posix() for path in app.rglob("*") if path.is_file()}
    assert set(told.json["files"]) == held
    assert {"Dockerfile", "notes.service", "k8s.yaml", "compose.yaml", "spaces/Dockerfile", "README.md"} <= held
    shutil.rmtree(home)
    monkeypatch.chdir(elsewhere)
    keys = f"{hashlib.sha256(KEY.encode()).hexdigest()} name=me"
    words = ("app", "port=0", "keys=env:DRAGOMAN_KEYS", "journal=journal.sqlite")  # as the container is started
    running = spawn("serve", *words, folder=elsewhere, environment={"DRAGOMAN_KEYS": keys})
    with running:
        assert running.stderr is not None
        said = ""
        for line in running.stderr:
            said += line
            if line.startswith("serving "):
                break
        assert "serving " in said, said
        url = said.split("serving ")[1].split(" at ")[1].split()[0]
        assert f"serving {made.id} at" in said
        assert smoke(app, url, KEY) == (0, f"{url} answers as {made.id}\n")
        code, said = smoke(app, url, "dk-wrong")
        assert (code, "401" in said) == (1, True)
        other = Path(shutil.copytree(app, elsewhere / "other"))
        expected = json.loads((other / "smoke.json").read_text())
        expected["lineage"]["verdict"] = "met"
        (other / "smoke.json").write_text(json.dumps(expected))
        code, said = smoke(other, url, KEY)
        assert (code, "lineage differs in verdict" in said) == (1, True)
        running.send_signal(signal.SIGTERM)
        ended(running)
    assert running.returncode == 143
    assert {path.relative_to(app).as_posix() for path in app.rglob("*") if path.is_file()} == held
