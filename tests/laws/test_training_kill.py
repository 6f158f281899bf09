"""Trainings of every objective killed with SIGKILL at random instants end with the bits of those left alone (T01)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the runs are forked")


@pytest.mark.slow
def test_five_kinds_of_training_killed_twice_each(root: Path) -> None:
    """Among them clm with AdamW and Muon, mlm and classify. All 17: python -m benchmarks.kills --runs 34 --kills 3."""
    command = [sys.executable, "-m", "benchmarks.kills", "--runs", "5", "--kills", "2", "--json"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"runs": 5, "kills": 10, "exact": 5, "damaged": 0}
