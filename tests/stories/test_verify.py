"""A person lets the promises be proven: `dragoman verify` as a process of its own, and stopped in the middle."""

import signal
import sys
from pathlib import Path

import pytest

from tests.command import ended, process, spawn


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="each child would be a process of its own, of 4 s")
def test_the_order_is_proven_and_printed(tmp_path: Path) -> None:
    told = process("verify", "order", "show=20", "--json", folder=tmp_path, seconds=300)
    assert told.code == 0, told.err
    proof = told.json["proofs"]["order"]
    assert told.json["held"] is True
    assert len(proof["cases"]) == 16
    assert [case["name"] for case in proof["cases"] if "killed" in case["name"]]
    steps = [note for note in proof["notes"] if note.startswith("step ")]
    ids = [name for step in steps for name in step.partition(": ")[2].split(", ")]
    assert len(ids) == 20
    assert len(set(ids)) == 20
    assert "order:" in told.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT])
def test_stopped_it_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with spawn("verify", "nan", f"folder={tmp_path}", folder=tmp_path) as running:
        while running.poll() is None and not list(tmp_path.glob("dragoman-verify-*/*/*/*/step-*")):
            pass
        running.send_signal(number)
        _, said = ended(running, 60)
    assert running.returncode == 128 + number
    assert "Traceback" not in said
    assert "dragoman: stopped" in said
    assert list(tmp_path.iterdir()) == []
