"""A kill at any call that changes the disk leaves the old state or the new one, and the same call then succeeds."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dragoman.core import durable
from tests.laws.syscalls import Calls, When, can_trade, contents, fresh, hidden, killed, watched

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the calls are told apart through /proc"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]
MOMENTS: tuple[When, ...] = ("before", "torn", "after")  # only a write can be torn
OLD = {"weights.bin": b"old" * 40, "config.json": b"{}", "deep/er/words.txt": b"old words"}
NEW = {"weights.bin": b"new" * 50, "config.json": b"{ }", "deep/other.txt": b"new words"}


def filling(files: dict[str, bytes]) -> Callable[[Path], None]:
    def fill(stage: Path) -> None:
        for name, data in files.items():
            (stage / name).parent.mkdir(parents=True, exist_ok=True)
            (stage / name).write_bytes(data)

    return fill


def listed(folder: Path) -> dict[str, bytes] | None:
    """What a careful reader finds: the files of a folder whose manifest matches."""
    if durable.problems(folder):
        return None
    found = contents(folder)
    return found and {name: data for name, data in found.items() if name != "manifest.json"}


def every_kill(
    place: Path,
    prepare: Callable[[Path], None],
    work: Callable[[Path], object],
    check: Callable[[Path, str], None],
    trade: bool = True,
) -> int:
    """Prepare, kill the work at one call, check; for every call and moment there is. Returns the number of kills."""
    with watched(Calls(), trade) as calls:
        prepare(fresh(place))
        before = len(calls.seen)
        work(place)
    total, kills = len(calls.seen) - before, 0
    assert total > 2
    for number in range(total):
        for when in MOMENTS if calls.seen[before + number][0] == "write" else ("before", "after"):
            with watched(Calls()):  # without waiting for the disk
                prepare(fresh(place))
            if killed(lambda: work(place), number, when, trade):
                kills += 1
                with watched(Calls(), trade):
                    check(place, f"killed {when} call {number}: {calls.seen[before + number]}")
    assert kills > total  # a call that fails by itself, such as unlinking what is not there, has no moment after it
    return kills


@pytest.mark.parametrize("trade", [True, False], ids=["trade", "two renames"])
@pytest.mark.parametrize("old", [{}, OLD], ids=["first", "over a whole one"])
def test_publish(tmp_path: Path, old: dict[str, bytes], trade: bool) -> None:
    def prepare(place: Path) -> None:
        if old:
            durable.publish(place / "target", filling(old))
        (place / "neighbour").write_text("stays")

    def check(place: Path, said: str) -> None:
        assert listed(place / "target") in (old or None, NEW), said
        durable.publish(place / "target", filling(NEW))
        assert listed(place / "target") == NEW, said
        assert sorted(path.name for path in place.iterdir()) == ["neighbour", "target"], said

    every_kill(tmp_path / "place", prepare, lambda place: durable.publish(place / "target", filling(NEW)), check, trade)


def test_publish_over_a_damaged_one_never_loses_it(tmp_path: Path) -> None:
    torn = {**OLD, "weights.bin": b"torn"}

    def prepare(place: Path) -> None:
        durable.publish(place / "target", filling(OLD))
        (place / "target" / "weights.bin").write_bytes(b"torn")

    def check(place: Path, said: str) -> None:
        durable.publish(place / "target", filling(NEW))
        assert listed(place / "target") == NEW, said
        aside = contents(place / "target.damaged-1")
        assert aside is not None, said
        assert {name: aside[name] for name in torn} == torn, said
        assert sorted(path.name for path in place.iterdir()) == ["target", "target.damaged-1"], said

    every_kill(tmp_path / "place", prepare, lambda place: durable.publish(place / "target", filling(NEW)), check)


@pytest.mark.parametrize("old", [None, b"old bytes"], ids=["first", "over one"])
def test_write(tmp_path: Path, old: bytes | None) -> None:
    new = b"new bytes, and more of them"

    def prepare(place: Path) -> None:
        if old is not None:
            durable.write(place / "deep" / "record.json", old)

    def check(place: Path, said: str) -> None:
        path = place / "deep" / "record.json"
        assert (path.read_bytes() if path.exists() else None) in (old, new), said
        durable.write(path, new)
        assert path.read_bytes() == new, said
        assert [inside.name for inside in path.parent.iterdir()] == ["record.json"], said

    every_kill(tmp_path / "place", prepare, lambda place: durable.write(place / "deep" / "record.json", new), check)


def test_append_keeps_every_acknowledged_line(tmp_path: Path) -> None:
    def prepare(place: Path) -> None:
        durable.append(place / "journal", "first")
        durable.append(place / "journal", "second")

    def check(place: Path, said: str) -> None:
        old = (place / "journal").read_bytes()
        assert old in (b"first\nsecond\n", b"first\nsecond\nthi", b"first\nsecond\nthird\n"), said
        durable.append(place / "journal", "third")
        lines = (place / "journal").read_text().split("\n")
        assert lines[:2] == ["first", "second"], said
        assert lines[-2:] == ["third", ""], said  # a torn line before it stands alone
        assert set(lines[2:-2]) <= {"thi", "third"}, said

    every_kill(tmp_path / "place", prepare, lambda place: durable.append(place / "journal", "third"), check)


@pytest.mark.parametrize("keep", [0, 2])
def test_retain_never_takes_the_newest_nor_leaves_half_a_version(tmp_path: Path, keep: int) -> None:
    """T13: at every instant at least one version is whole, and it is the newest."""

    def prepare(place: Path) -> None:
        for step in (10, 20, 30, 40):
            durable.publish(place / f"step-{step:06}", filling({"a": b"a"}))

    def check(place: Path, said: str) -> None:
        spoken: list[str] = []
        assert durable.newest(place, "step", spoken.append) == place / "step-000040", said
        assert [durable.problems(path) for _, path in durable.versions(place, "step")].count([]) >= max(keep, 1), said
        assert all(not durable.problems(path) for _, path in durable.versions(place, "step")), said
        durable.retain(place, "step", keep)
        kept = [step for step, _ in durable.versions(place, "step")]
        assert kept == [10, 20, 30, 40][-max(keep, 1) :], said
        assert hidden(place) == [], said
        assert spoken == [], said

    every_kill(tmp_path / "place", prepare, lambda place: durable.retain(place, "step", keep), check)


def test_setting_a_damaged_version_aside(tmp_path: Path) -> None:
    def prepare(place: Path) -> None:
        for step in (1, 2):
            durable.publish(place / f"step-{step}", filling(OLD))
        (place / "step-2" / "config.json").unlink()

    def check(place: Path, said: str) -> None:
        assert durable.newest(place, "step", lambda _: None) == place / "step-1", said
        assert sorted(path.name for path in place.iterdir()) == ["step-1", "step-2.damaged-1"], said

    with watched(Calls()):
        prepare(fresh(tmp_path))
    for number in range(2):
        for when in ("before", "after"):
            with watched(Calls()):
                prepare(fresh(tmp_path / "place"))
            work = lambda: durable.newest(tmp_path / "place", "step", lambda _: None)  # noqa: E731
            assert killed(work, number, when)
            check(tmp_path / "place", f"killed {when} call {number}")


def test_the_target_is_there_at_every_instant_of_a_new_publish(tmp_path: Path) -> None:
    """Readers need no lock: the name leads to the old version until it leads to the new one."""
    if not can_trade(tmp_path):
        pytest.skip("this system cannot trade two names in one step")
    place = fresh(tmp_path / "place")
    durable.publish(place / "target", filling(OLD))

    def at(number: int, name: str, when: When) -> None:
        config = place / "target" / "config.json"
        assert config.exists(), f"{when} call {number} ({name}) the target was gone"

    with watched(Calls(at=at)):
        durable.publish(place / "target", filling(NEW))
    assert listed(place / "target") == NEW


@pytest.mark.parametrize("reader", ["problems", "versions", "newest"])
def test_readers_put_back_what_a_kill_between_two_renames_hid(tmp_path: Path, reader: str) -> None:
    durable.publish(tmp_path / "step-5", filling(OLD))
    (tmp_path / "step-5").rename(tmp_path / ".step-5.old")
    if reader == "problems":
        assert durable.problems(tmp_path / "step-5") == []
    elif reader == "versions":
        assert durable.versions(tmp_path, "step") == [(5, tmp_path / "step-5")]
    else:
        assert durable.newest(tmp_path, "step", lambda _: None) == tmp_path / "step-5"
    assert listed(tmp_path / "step-5") == OLD
    assert hidden(tmp_path) == []


def test_a_writer_puts_it_back_before_its_own_work_can_fail(tmp_path: Path) -> None:
    durable.publish(tmp_path / "target", filling(OLD))
    (tmp_path / "target").rename(tmp_path / ".target.old")
    with pytest.raises(ArithmeticError):
        durable.publish(tmp_path / "target", lambda stage: (_ for _ in ()).throw(ArithmeticError))
    assert contents(tmp_path / "target") is not None
    assert hidden(tmp_path) == []


def test_an_old_version_beside_a_new_one_is_never_put_back(tmp_path: Path) -> None:
    durable.publish(tmp_path / "step-5", filling(OLD))
    (tmp_path / "step-5").rename(tmp_path / ".step-5.old")
    (tmp_path / "step-5").mkdir()
    filling(NEW)(tmp_path / "step-5")
    durable.versions(tmp_path, "step")
    assert contents(tmp_path / "step-5") == NEW
    durable.publish(tmp_path / "step-5", filling(NEW))
    assert hidden(tmp_path) == []
