"""A server is killed while it writes its journal: nothing that it acknowledged is lost, and the file is whole."""

import json
import os
import subprocess
import sys
from pathlib import Path

POINTS = int(os.environ.get("DRAGOMAN_CRASH_POINTS", "12"))


def test_killed_anywhere_what_was_acknowledged_is_there(tmp_path: Path, root: Path) -> None:
    command = [sys.executable, "-m", "tests.serve.journal_crashing", str(tmp_path), str(POINTS)]  # alone, for it forks
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    print(seen)
    assert seen["points"] == POINTS and seen["entries"] > POINTS and seen["notes"] > 0
