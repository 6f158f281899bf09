"""A store is killed at many points: no source is half there, nothing that was done is lost, no file needs mending."""

import json
import os
import subprocess
import sys
from pathlib import Path

POINTS = int(os.environ.get("DRAGOMAN_CRASH_POINTS", "60"))


def test_killed_anywhere_every_source_is_whole(tmp_path: Path, root: Path) -> None:
    command = [sys.executable, "-m", "tests.rag.crashing", str(tmp_path), str(POINTS)]  # alone, for it forks
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    print(seen)
    assert seen["points"] == POINTS and seen["inside"] > POINTS // 5 and seen["cuts"] > POINTS // 5
    assert seen["applied"] > POINTS // 5
