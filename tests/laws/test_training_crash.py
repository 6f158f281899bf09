"""A process that dies at any call of a save leaves the state before it or the one after it, and the run goes on."""

import sys
from pathlib import Path

import pytest
import torch

from dragoman.core import durable
from dragoman.train import checkpoint
from tests.laws.syscalls import Calls, When, fresh, hidden, killed, watched
from tests.train.small import begun, bits, steps

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the calls are told apart through /proc"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


def test_every_call_of_a_save(tmp_path: Path) -> None:
    whole = begun()
    steps(whole)
    training, folder = begun(), tmp_path / "run"
    kept = {}
    for step in (2, 4, 6):
        steps(training, 2)
        kept[step] = bits(training)
        if step < 6:
            checkpoint.save(tmp_path / "before", training, {})
    before, dice = tmp_path / "before", torch.get_rng_state()

    def prepare() -> None:
        fresh(folder).rmdir()
        with watched(Calls()):
            for step, path in durable.versions(before, "step"):
                durable.publish(folder / f"step-{step:06d}", lambda stage, path=path: _copy(path, stage))  # type: ignore[misc]

    prepare()
    with watched(Calls()) as calls:
        checkpoint.save(folder, training, {})
    total = len(calls.seen)
    assert total > 20
    outcomes = set()
    for number in range(total):
        moments: tuple[When, ...] = (
            ("before", "torn", "after") if calls.seen[number][0] == "write" else ("before", "after")
        )
        for when in moments:
            prepare()
            if killed(lambda: checkpoint.save(folder, training, {}), number, when):
                outcomes.add(_check(folder, kept, f"killed {when} call {number}: {calls.seen[number]}"))
    assert outcomes == {4, 6}
    prepare()
    torch.set_rng_state(dice)
    path, last = checkpoint.save(folder, training, {}), begun()
    checkpoint.restore(path, last, pytest.fail)
    steps(last)
    assert bits(last) == bits(whole)


def _copy(path: Path, stage: Path) -> None:
    for file in path.iterdir():
        if file.name != "manifest.json":
            (stage / file.name).write_bytes(file.read_bytes())


def _check(folder: Path, kept: dict[int, dict[str, bytes]], said: str) -> int:
    """The newest state is that of step 4 or of step 6, whole; and the next save succeeds. Returns which it was."""
    heard: list[str] = []
    with watched(Calls()):
        found = checkpoint.newest(folder, heard.append)
        assert found is not None, said
        assert heard == [], said  # a kill damages nothing
        again = begun()
        checkpoint.restore(found, again, heard.append)
        step = again.step
        assert bits(again) == kept[step], said
        again.step = 6
        checkpoint.save(folder, again, {})
    assert [number for number, _ in durable.versions(folder, "step")] == [4, 6], said
    assert hidden(folder) == [], said
    return step
