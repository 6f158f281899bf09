"""One trial: what it does wrong is its result, what a person wants stops it, and what was done is found again."""

import errno
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dragoman.core import durable
from dragoman.core.disk import spoken
from dragoman.core.errors import Stopped, UserError
from dragoman.stages.sweep_space import Value
from dragoman.stages.sweep_trials import Ready, again, find_range, try_one
from dragoman.train.trial import one_thread
from tests.stages.books import World, book


@dataclass(frozen=True)
class Wild(World):
    """Every rate is too high."""

    def ready(self, chosen: Mapping[str, Value], seed: int, units: int) -> Ready:
        """The training with a rate of 10."""
        return World.ready(self, {"train.rate": 10.0}, seed, units)


@dataclass(frozen=True)
class Full(World):
    """The disk has no room."""

    refused: str = ""

    def ready(self, chosen: Mapping[str, Value], seed: int, units: int) -> Ready:
        """Nothing, for want of room."""
        if self.refused == "before the work":
            durable.room(Path.cwd(), 10**18)
        with spoken(Path("checkpoint")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@dataclass(frozen=True)
class Hurried(World):
    """Somebody asks to stop at the first measurement."""

    def ready(self, chosen: Mapping[str, Value], seed: int, units: int) -> Ready:
        """The training in which that happens."""
        one = World.ready(self, chosen, seed, units)

        def measure(net: Any) -> Mapping[str, float]:
            os.kill(os.getpid(), signal.SIGTERM)
            return one.measure(net)

        return replace(one, measure=measure)


def test_a_loss_that_is_not_finite_is_the_result_of_its_trial(tmp_path: Path) -> None:
    one = book(tmp_path, trials=2)
    with one_thread(), one.next() as asked:
        assert asked is not None
        try_one(Wild(), one, asked)
    row = one.rows()[0]
    assert (row.state, row.why, row.value) == ("failed", "the loss is nan", None)
    assert not (one.place(row.number) / "training").exists()


@pytest.mark.parametrize("refused", ["while it is written", "before the work"])
def test_a_full_disk_is_no_fault_of_the_trial(tmp_path: Path, refused: str) -> None:
    one = book(tmp_path, trials=1)
    with pytest.raises(UserError, match=r"no space left|the disk has"), one.next() as asked:
        assert asked is not None
        try_one(Full(refused=refused), one, asked)
    assert one.rows()[0].state == "running"
    assert one.others == 1
    with one_thread(), one.next() as asked:
        assert asked is not None
        try_one(World(), one, asked)
    assert one.rows()[0].state in ("pruned", "complete")


def test_who_asks_to_stop_finds_the_trial_where_it_was(tmp_path: Path) -> None:
    one = book(tmp_path, trials=1)
    with one_thread(), pytest.raises(Stopped) as stopped, one.next() as asked:
        assert asked is not None
        try_one(Hurried(), one, asked)
    assert stopped.value.signal == signal.SIGTERM
    assert one.rows()[0].state == "running"
    with one_thread():
        while True:
            with one.next() as asked:
                if asked is None:
                    break
                try_one(World(), one, asked)
    assert one.best().step == World().steps


def test_a_fresh_seed_is_another_training_and_is_done_once(tmp_path: Path) -> None:
    def run(seed: int) -> float:
        with one_thread():
            return again(World(6), {"train.rate": 1e-2}, seed, tmp_path, lambda _: None, lambda done, text="": None)

    first, other = run(1), run(2)
    assert first != other
    (tmp_path / "seed-2.json").write_text('{"value": 1.5}', encoding="utf-8")
    assert (run(1), run(2)) == (first, 1.5)


def test_the_range_test_is_done_once(tmp_path: Path) -> None:
    def run() -> Any:
        with one_thread():
            return find_range(World(), 0, 1e-5, 10.0, 60, tmp_path / "range.json", lambda done, text="": None)

    first = run()
    assert 1e-5 < first.chosen < 1.0
    before = (tmp_path / "range.json").stat().st_mtime_ns
    assert run() == first
    assert (tmp_path / "range.json").stat().st_mtime_ns == before
