"""Law: a corpus whose building is killed at any moment is gone on with, and ends with the bytes it would have had."""

import json
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from tests.command import dragoman, spawn
from tests.data.test_sketch import changed, some_text

WORDS = ("corpus", "text.jsonl", "size=400", "block=20 kB", "workers=2")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unbroken")
    dice = np.random.default_rng(11)
    texts = [some_text(dice, 80) for _ in range(300)]
    texts += [changed(text, 4, dice) for text in texts[:20]]
    (folder / "text.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    assert dragoman(*WORDS, folder=folder).code == 0
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("seen", ["part-00-000003", "verdicts", "tokens-00-000002"])
def test_a_killed_build_ends_with_the_same_bytes(seen: str, unbroken: Path, tmp_path: Path) -> None:
    shutil.copy(unbroken / "text.jsonl", tmp_path)
    process = spawn(*WORDS, folder=tmp_path)
    mark = tmp_path / ".corpus.parts" / seen
    while process.poll() is None and not mark.exists():
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL and not (tmp_path / "corpus").exists()
    before = mark.stat().st_ino
    damaged = min((tmp_path / ".corpus.parts").glob("part-*/text.bin"))  # workers end in no fixed order
    damaged.write_bytes(b"x" + damaged.read_bytes()[1:])  # what does not match its manifest is made again
    done = dragoman(*WORDS, "workers=1", folder=tmp_path)
    assert done.code == 0, done
    assert tree(tmp_path / "corpus") == tree(unbroken / "corpus")
    assert before and not list(tmp_path.glob(".corpus*"))
