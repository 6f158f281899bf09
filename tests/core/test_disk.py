"""The steps under the durable writer, where the system differs or says no."""

import errno
from pathlib import Path

import pytest
from safetensors import SafetensorError

from dragoman.core import disk
from dragoman.core.errors import UserError
from tests.laws.syscalls import can_trade


def test_two_folders_trade_names(tmp_path: Path) -> None:
    if not can_trade(tmp_path):
        pytest.skip("this system cannot trade two names in one step")
    (tmp_path / "one" / "first").write_text("")
    assert disk.exchange(tmp_path / "one", tmp_path / "other")
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["first"]
    assert list((tmp_path / "one").iterdir()) == []


def test_a_trade_that_cannot_be_says_so_and_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one").mkdir()
    assert not disk.exchange(tmp_path / "one", tmp_path / "not there")
    monkeypatch.setattr(disk.ctypes, "CDLL", lambda _: object())  # a system that has no such call
    (tmp_path / "other").mkdir()
    assert not disk.exchange(tmp_path / "one", tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "other"]


def test_removing_takes_the_link_and_never_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for name in ("link", "nothing"):
        disk.remove(tmp_path / name)
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "file"]


@pytest.mark.parametrize(
    ("code", "said", "hint"),
    [
        (errno.ENOSPC, "no space left while writing", "free some space"),
        (errno.EROFS, "cannot be written", "runs=PATH"),
        (errno.ENOLCK, "cannot be locked", "runs=PATH"),
        (errno.EIO, "the disk failed while writing", "runs=PATH"),
        (errno.ENOTEMPTY, "stands in the way", "runs=PATH"),
    ],
)
def test_what_the_system_refuses_is_one_sentence(tmp_path: Path, code: int, said: str, hint: str) -> None:
    with pytest.raises(UserError) as told, disk.spoken(tmp_path / "not" / "there"):
        raise OSError(code, "as the system says it")
    assert said in told.value.problem
    assert str(tmp_path / "not" / "there") in told.value.problem
    assert hint in told.value.hint


def test_anything_else_is_a_bug_and_shown_as_one(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Bad file descriptor"), disk.spoken(tmp_path):
        raise OSError(errno.EBADF, "Bad file descriptor")


def test_what_the_system_refuses_a_writer_in_rust_is_the_same_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no space left while writing"), disk.spoken(tmp_path):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
    with pytest.raises(SafetensorError, match="header too large"), disk.spoken(tmp_path):
        raise SafetensorError("header too large")


def test_the_home_of_nobody_is_one_message() -> None:
    assert disk.typed("~") == Path.home()
    with pytest.raises(UserError, match="no home folder for '~nobody-of-that-name/x'"):
        disk.typed("~nobody-of-that-name/x")
