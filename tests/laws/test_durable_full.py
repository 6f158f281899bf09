"""A full disk, a failing one, a read-only one: one sentence with path and numbers, and the old version stands."""

import errno
import os
import re
import resource
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dragoman.core import durable
from dragoman.core.errors import UserError
from tests.laws.syscalls import REFUSALS, Calls, contents, fresh, hidden, refusing, watched

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the calls are told apart through /proc"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]
CLEANING = ("unlink", "rmdir")


def fill_old(stage: Path) -> None:
    (stage / "deep").mkdir()
    (stage / "deep" / "model.bin").write_bytes(b"old" * 100)


def fill_new(stage: Path) -> None:
    (stage / "deep").mkdir()
    (stage / "deep" / "model.bin").write_bytes(b"new" * 120)
    (stage / "more.bin").write_bytes(b"more")


WORKS: dict[str, tuple[Callable[[Path], object], Callable[[Path], object]]] = {
    "publish": (
        lambda place: durable.publish(place / "target", fill_old),
        lambda place: durable.publish(place / "target", fill_new),
    ),
    "write": (
        lambda place: durable.write(place / "target", b"old"),
        lambda place: durable.write(place / "target", b"new bytes"),
    ),
    "append": (
        lambda place: durable.append(place / "target", "old"),
        lambda place: durable.append(place / "target", "new line"),
    ),
}


def state(place: Path) -> dict[str, bytes]:
    """All bytes in a folder, staging places included."""
    return contents(place) or {}


@pytest.mark.parametrize(("verb", "trade"), [("publish", True), ("publish", False), ("write", True), ("append", True)])
@pytest.mark.parametrize("code", REFUSALS, ids=errno.errorcode.get)
def test_a_refusal_of_any_call_leaves_the_old_or_the_new_and_is_told(
    tmp_path: Path, verb: str, code: int, trade: bool
) -> None:
    before, work = WORKS[verb]
    place = tmp_path / "place"
    with watched(Calls(), trade) as calls:
        before(fresh(place))
        old = state(place)
        start = len(calls.seen)
        work(place)
        new, total = state(place), len(calls.seen) - start
    told = 0
    for number in range(total):
        with watched(Calls()):
            before(fresh(place))
        calls = refusing(number, code)
        with watched(calls, trade):
            try:
                work(place)
                refused = None
            except UserError as error:
                refused = error
        name, where = calls.seen[number]
        said = f"call {number} ({name} of {where}) refused with {errno.errorcode[code]}"
        now = {inside: data for inside, data in state(place).items() if not inside.startswith(".")}
        assert now in (old, new), said
        if refused is None:
            assert now == new, said
        else:
            told += 1
            assert REFUSALS[code] in refused.problem, said
            assert str(place / "target") in refused.problem, said
            if code in (errno.ENOSPC, errno.EDQUOT):
                assert re.search(r"\([\d,]+ bytes free\)", refused.problem), said
            assert "runs=" in refused.hint, said
        if name not in CLEANING:
            kept = name == "fsync" and not trade  # the new one may not be on the disk yet
            assert hidden(place) in ([], [".target.old"] * kept), said
        with watched(Calls(), trade):
            work(place)
        after = state(place)
        assert after == new or (verb == "append" and after["target"].startswith(new["target"])), said
    assert told > total / 2


@pytest.mark.parametrize("verb", WORKS)
def test_a_real_limit_on_file_size(tmp_path: Path, verb: str) -> None:
    """RLIMIT_FSIZE needs no root and tears the write in the middle, as a full disk does."""
    target = tmp_path / "target"
    before, _ = WORKS[verb]
    before(tmp_path)
    old = state(tmp_path)
    big = 300_000

    def work() -> None:
        if verb == "publish":
            durable.publish(target, lambda stage: (stage / "big").write_bytes(b"x" * big) and None)
        elif verb == "write":
            durable.write(target, b"x" * big)
        else:
            durable.append(target, "x" * big)

    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
            work()
        except UserError as error:
            os._exit(7 if "no space left" in error.problem and str(target) in error.problem else 8)
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert state(tmp_path) == old
    work()
    assert state(tmp_path) != old


def test_room_is_asked_for_before_the_work(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    filled: list[Path] = []
    with pytest.raises(UserError, match=r"needs [\d,]+ bytes and the disk has [\d,]+ free") as told:
        durable.publish(tmp_path / "target", filled.append, needed=free * 2)
    assert f"{free * 2:,}" in told.value.problem
    assert not filled
    assert list(tmp_path.iterdir()) == []
    durable.room(tmp_path / "not" / "yet" / "there", 1)


@pytest.mark.parametrize("verb", WORKS)
def test_a_file_where_the_folder_should_be(tmp_path: Path, verb: str) -> None:
    (tmp_path / "runs").write_text("mine")
    _, work = WORKS[verb]
    for place in (tmp_path / "runs", tmp_path / "runs" / "deeper"):
        with pytest.raises(UserError, match="stands in the way") as told:
            work(place)
        assert str(tmp_path / "runs") in told.value.problem
    assert (tmp_path / "runs").read_text() == "mine"


def test_a_file_where_the_target_should_be_is_not_taken_for_a_damaged_version(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("mine")
    filled: list[Path] = []
    with pytest.raises(UserError, match=r"model stands in the way"):
        durable.publish(tmp_path / "model", filled.append)
    assert not filled, "said before the work, not after"
    assert contents(tmp_path) == {"model": b"mine"}


def test_a_folder_where_the_file_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    for work in (durable.write, lambda path, data: durable.append(path, data.decode())):
        with pytest.raises(UserError, match="stands in the way"):
            work(tmp_path / "file", b"bytes")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_name_too_long_for_the_system(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written: File name too long"):
        durable.write(tmp_path / ("x" * 300), b"bytes")


def test_a_mistake_of_our_own_is_not_told_as_one_of_the_person(tmp_path: Path) -> None:
    def fill(stage: Path) -> None:
        (stage / "not" / "made").write_text("")

    with pytest.raises(FileNotFoundError):
        durable.publish(tmp_path / "target", fill)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(UserError, match="cannot be written"):
            durable.write(tmp_path / "file", b"bytes")
    finally:
        tmp_path.chmod(0o700)
