"""A training killed with SIGKILL at random instants ends, by the same call, with the bits of one left alone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the runs are forked")


@pytest.mark.slow
def test_three_runs_killed_three_times_each(root: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.kills", "--runs", "3", "--kills", "3", "--json"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"runs": 3, "kills": 9, "exact": 3, "damaged": 0}
