"""One process: what is published, written and appended; two processes: who holds what."""

import fcntl
import json
import os
import shutil
import signal
import socket
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dragoman.core import durable
from dragoman.core.errors import Busy, UserError

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def fill(stage: Path) -> None:
    (stage / "deep").mkdir()
    (stage / "deep" / "file.txt").write_text("words")


@contextmanager
def another_process(work: Callable[[Callable[[], None]], None]) -> Iterator[int]:
    """Run `work` in a child; it calls what it is given once it has come to its point, and then waits to be killed."""
    reading, writing = os.pipe()

    def ready() -> None:
        os.write(writing, b"!")
        signal.pause()

    child = os.fork()
    if child == 0:
        try:
            work(ready)
        finally:
            os._exit(1)
    os.close(writing)
    try:
        assert os.read(reading, 1) == b"!", "the other process failed"
        yield child
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def hold(folder: Path, ready: Callable[[], None]) -> None:
    with durable.lock(folder):
        ready()


def test_a_second_process_is_refused_and_told_who_holds_the_folder(tmp_path: Path) -> None:
    with another_process(lambda ready: hold(tmp_path / "run", ready)) as child:
        with pytest.raises(Busy) as told, durable.lock(tmp_path / "run"):
            pass
        assert f"process {child} on {socket.gethostname()} since 20" in told.value.problem
        assert str(tmp_path / "run") in told.value.problem
        with durable.lock(tmp_path / "other run"):
            pass


def test_the_lock_of_a_killed_process_is_gone_with_it(tmp_path: Path) -> None:
    with another_process(lambda ready: hold(tmp_path, ready)) as child:
        pass
    with durable.lock(tmp_path):
        assert (tmp_path / ".lock").read_text().startswith(f"process {os.getpid()} ")
        assert str(child) not in (tmp_path / ".lock").read_text()


def test_a_lock_holds_within_one_process_too_and_ends_with_its_block(tmp_path: Path) -> None:
    with durable.lock(tmp_path), pytest.raises(Busy), durable.lock(tmp_path):
        pass
    with pytest.raises(ZeroDivisionError), durable.lock(tmp_path):
        1 / 0  # noqa: B018
    with durable.lock(tmp_path):
        pass


def test_what_the_system_refuses_inside_the_block_is_not_told_as_a_lock(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), durable.lock(tmp_path):
        raise PermissionError(13, "mine")


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(UserError, match="cannot be locked: No locks available"), durable.lock(tmp_path):
        pass


def test_two_processes_never_mix_one_version(tmp_path: Path) -> None:
    def slow(ready: Callable[[], None]) -> None:
        def fill_and_wait(stage: Path) -> None:
            (stage / "theirs").write_text("x")
            ready()

        durable.publish(tmp_path / "model", fill_and_wait)

    with another_process(slow):
        with pytest.raises(Busy, match=r"\.model\.staging is being written by another process"):
            durable.publish(tmp_path / "model", fill)
        assert (tmp_path / ".model.staging" / "theirs").exists(), "the other's work is not disturbed"
    durable.publish(tmp_path / "model", fill)
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["deep", "manifest.json"]


def test_many_writers_of_one_file_leave_one_whole_text_and_no_reader_sees_less(tmp_path: Path) -> None:
    path, texts = tmp_path / "record.json", [str(number) * (1000 * number + 1) for number in range(8)]
    durable.write(path, texts[0].encode())
    failures: list[BaseException] = []

    def repeat(text: str) -> None:
        try:
            for _ in range(4):
                durable.write(path, text.encode())
                assert path.read_text() in texts
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=repeat, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [inside.name for inside in tmp_path.iterdir()] == ["record.json"]


def test_many_appenders_never_tear_a_line(tmp_path: Path) -> None:
    lines = [str(number) * 20_000 for number in range(4)]
    threads = [
        threading.Thread(target=lambda line=line: [durable.append(tmp_path / "j", line) for _ in range(3)])
        for line in lines
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((tmp_path / "j").read_text().splitlines()) == sorted(lines * 3)


def test_a_line_waits_for_the_one_before_it(tmp_path: Path) -> None:
    """Or a line that did not fit would be cut off together with one that did."""
    with (tmp_path / "journal").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        thread = threading.Thread(target=durable.append, args=(tmp_path / "journal", "second"))
        thread.start()
        thread.join(0.1)
        other.write(b"first\n")
    thread.join()
    assert (tmp_path / "journal").read_text() == "first\nsecond\n"


def test_a_published_folder_says_what_it_holds(tmp_path: Path) -> None:
    folder = durable.publish(tmp_path / "new" / "model", fill)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["files"] == {"deep/file.txt": {"sha256": durable.digest(folder / "deep" / "file.txt"), "size": 5}}
    assert durable.problems(folder) == []
    assert stat.S_IMODE((folder / "deep" / "file.txt").stat().st_mode) == 0o644


def test_a_fill_that_fails_leaves_the_old_version_and_no_trace(tmp_path: Path) -> None:
    def failing(stage: Path) -> None:
        (stage / "half").write_text("half")
        raise ArithmeticError("not finite")

    durable.publish(tmp_path / "model", fill)
    for broken in (failing, lambda stage: (_ for _ in ()).throw(KeyboardInterrupt)):
        with pytest.raises((ArithmeticError, KeyboardInterrupt)):
            durable.publish(tmp_path / "model", broken)
        assert [path.name for path in tmp_path.iterdir()] == ["model"]
        assert durable.problems(tmp_path / "model") == []


def test_a_copy_of_a_published_folder_can_be_published(tmp_path: Path) -> None:
    """Its old manifest comes along and must not be taken for a file of its own."""
    first = durable.publish(tmp_path / "first", fill)
    second = durable.publish(
        tmp_path / "second", lambda stage: shutil.copytree(first, stage, dirs_exist_ok=True) and None
    )
    assert durable.problems(second) == []
    assert durable.digest(first) == durable.digest(second)


def test_a_link_among_the_files_is_refused_as_a_mistake_of_ours(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("may change tomorrow")
    (tmp_path / "outside").chmod(0o600)
    with pytest.raises(ValueError, match="must stand on its own"):
        durable.publish(tmp_path / "model", lambda stage: (stage / "link").symlink_to(tmp_path / "outside"))
    assert stat.S_IMODE((tmp_path / "outside").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]


def test_an_empty_folder_is_simply_filled(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    durable.publish(tmp_path / "model", fill)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_of_the_persons_own_is_set_aside_and_never_lost(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "thesis.txt").write_text("years")
    durable.publish(tmp_path / "model", fill)
    assert (tmp_path / "model.damaged-1" / "thesis.txt").read_text() == "years"


@pytest.mark.parametrize("there", [True, False], ids=["leads to a version", "leads nowhere yet"])
def test_a_target_behind_a_link_stays_behind_it(tmp_path: Path, there: bool) -> None:
    """People keep models on another disk."""
    (tmp_path / "disk").mkdir()
    if there:
        durable.publish(tmp_path / "disk" / "model", lambda stage: (stage / "old").write_text("") and None)
    (tmp_path / "model").symlink_to(tmp_path / "disk" / "model")
    for _ in range(2):
        durable.publish(tmp_path / "model", fill)
        assert (tmp_path / "model").is_symlink()
        assert durable.problems(tmp_path / "disk" / "model") == durable.problems(tmp_path / "model") == []
    assert sorted(path.name for path in tmp_path.rglob("*") if path.name.startswith(".")) == []


def test_a_file_behind_a_link_stays_behind_it_and_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("old")
    (tmp_path / "keys").chmod(0o600)
    (tmp_path / "link").symlink_to(tmp_path / "keys")
    durable.write(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "keys").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600


@pytest.mark.parametrize("left", ["folder", "file", "link"])
def test_what_a_kill_left_in_the_staging_place_is_cleared(tmp_path: Path, left: str) -> None:
    stage, outside = tmp_path / ".model.staging", tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").write_text("mine")
    if left == "folder":
        (stage / "half").mkdir(parents=True)
    elif left == "file":
        stage.write_text("half")
    else:
        stage.symlink_to(outside)
    durable.publish(tmp_path / "model", fill)
    durable.write(tmp_path / "model.json", b"{}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "model.json", "outside"]
    assert (outside / "mine").read_text() == "mine"


def test_a_torn_line_spoils_no_other(tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(b'{"n": 1}\n{"n": 2, "te')
    durable.append(tmp_path / "journal", '{"n": 3}\n')
    assert (tmp_path / "journal").read_text().splitlines() == ['{"n": 1}', '{"n": 2, "te', '{"n": 3}']


def test_json_says_what_is_not_a_number_as_null_and_keeps_every_text(tmp_path: Path) -> None:
    value = {"loss": float("nan"), "best": [float("inf"), 1.5, (2, "grüß 漢")], "broken": "\ud800 half a pair"}
    durable.write_json(tmp_path / "r.json", value)
    text = (tmp_path / "r.json").read_bytes()
    assert "grüß 漢".encode() in text
    assert json.loads(text) == {"loss": None, "best": [None, 1.5, [2, "grüß 漢"]], "broken": "\ud800 half a pair"}
    text.decode("utf-8")


def test_the_digest_sees_names_and_bytes_and_not_where_or_when(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for place in (one, two):
        (place / "deep").mkdir(parents=True)
        (place / "deep" / "a").write_bytes(b"same" * (1 << 19))
    os.utime(two / "deep" / "a", (1, 1))
    assert durable.digest(one) == durable.digest(two)
    (two / "deep" / "a").rename(two / "deep" / "b")
    assert durable.digest(one) != durable.digest(two)
    (two / "deep" / "b").rename(two / "deep" / "a")
    (two / "deep" / "a").write_bytes(b"same" * (1 << 19) + b"!")
    assert durable.digest(one) != durable.digest(two)


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are counted in /proc")
def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    def work() -> None:
        durable.publish(tmp_path / "model", fill)
        durable.write(tmp_path / "file", b"x")
        durable.append(tmp_path / "journal", "x")
        with durable.lock(tmp_path):
            pass
        with pytest.raises(ValueError):
            durable.publish(tmp_path / "other", lambda stage: (stage / "link").symlink_to("nowhere"))

    work()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        work()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_staging_folder_is_filled_plainly(tmp_path: Path) -> None:
    """`write` inside `fill` would wait for the lock that publish itself holds."""
    with pytest.raises(ValueError, match="plainly"):
        durable.publish(tmp_path / "made", lambda stage: durable.write(stage / "a.txt", b"a"))
    assert not (tmp_path / "made").exists()
