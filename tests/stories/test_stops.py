"""`dragoman run` is killed, stopped and started again, and ends with the same bits as if nothing had happened."""

import signal
import time
from pathlib import Path
from subprocess import Popen

import pytest

from dragoman.core import durable
from dragoman.core.runs import all_runs
from tests.command import ended, process, spawn
from tests.tiny import write_project

RUNGS = ("zero_shot", "full")
LONG = ("train.epochs=50", "train.patience=0")  # long enough to be hit in the middle of it

# After which line of the board, or after a new checkpoint; how many seconds later; and by what.
STOPS = [
    ("check", 0.1, signal.SIGKILL),
    ("saved", 0.0, signal.SIGKILL),
    ("saved", 0.05, signal.SIGTERM),
    ("saved", 0.15, signal.SIGINT),
    ("saved", 0.3, signal.SIGKILL),
]


def steps(folder: Path) -> set[str]:
    """The checkpoints of the training."""
    return {path.name for path in folder.glob("runs/full-*/training/step-*")}


def stop(running: "Popen[str]", when: str, seconds: float, number: signal.Signals, folder: Path) -> tuple[int, str]:
    """Send a signal some seconds after a line of the board or a new checkpoint; the exit code and what was said."""
    assert running.stderr is not None
    said, before = "", steps(folder)
    if when == "saved":
        while running.poll() is None and not steps(folder) - before:
            time.sleep(0.01)
    else:
        for text in running.stderr:
            said += text
            if text.strip().startswith(f"{when}:"):
                break
    time.sleep(seconds)
    running.send_signal(number)
    _, rest = ended(running, 60)
    return running.returncode, said + rest


def damage(file: Path) -> None:
    """Flip one bit of the newest checkpoint, as a failing disk does."""
    raw = bytearray(file.read_bytes())
    raw[-5] ^= 1
    file.write_bytes(raw)


def bits(folder: Path) -> dict[str, str]:
    """The checksum of the chosen rung's model."""
    return {one.id: durable.digest(one.folder / "model") for one in all_runs(folder / "runs") if one.verb == "full"}


@pytest.mark.slow
def test_stopped_at_any_instant_it_ends_as_if_nothing_had_happened(tiny_model: Path, tmp_path: Path) -> None:
    calm = write_project(tmp_path / "calm", tiny_model, rungs=RUNGS, save=0.1)
    rough = write_project(tmp_path / "rough", tiny_model, rungs=RUNGS, save=0.1)
    whole = process("run", *LONG, "--json", folder=calm)
    assert whole.code == 0, whole.err
    heard = ""
    for when, seconds, number in STOPS:
        code, said = stop(spawn("run", *LONG, "--json", folder=rough), when, seconds, number, rough)
        heard += said
        if len(steps(rough)) > 1 and "set aside" not in heard:
            damage(max((rough / "runs").glob("full-*/training/step-*")) / "weights.safetensors")
        assert "Traceback" not in said
        assert code in (-9 if number == signal.SIGKILL else 128 + number, 0), said
        if code == 128 + number:
            told = [text for text in said.splitlines() if text.startswith("dragoman: ")]
            assert len(told) == 1
            assert "the same command" in told[0]
    ended = process("run", *LONG, "--json", folder=rough)
    assert ended.code == whole.code
    assert "going on from step" in heard + ended.err
    assert "does not match its checksum: set aside as step-" in heard + ended.err
    for same in ("verdict", "rung", "run"):
        assert ended.json[same] == whole.json[same]
    accuracy = [one.json["metrics"]["accuracy"] for one in (ended, whole)]
    assert accuracy[0] == accuracy[1]
    assert bits(rough) == bits(calm)
    assert len(bits(rough)) == 1


def test_two_runs_in_one_folder(tiny_project: Path) -> None:
    words = ("run", "train.epochs=300", "train.patience=0", "ladder.rungs=['zero_shot','full']")
    with spawn(*words, folder=tiny_project) as first:
        assert first.stderr is not None
        for text in first.stderr:
            if text.strip().startswith("zero_shot:"):
                break
        second = process(*words, folder=tiny_project)
        assert second.code == 2
        assert f"process {first.pid}" in second.err
        assert "wait for it to end" in second.err
        assert "Traceback" not in second.err
        first.send_signal(signal.SIGTERM)
        ended(first, 60)
        assert first.returncode == 143
