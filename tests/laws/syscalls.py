"""Every call that changes the disk passes here, so that a law can end the process, or refuse the call, at each."""

import errno
import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from dragoman.core import disk, durable

When = Literal["before", "after", "torn"]
CALLS = ("fsync", "rename", "replace", "unlink", "mkdir", "rmdir", "chmod", "fchmod")


@dataclass
class Calls:
    """What was called, in order, as (name, path); `at` is asked before and after each call and may end it."""

    seen: list[tuple[str, str]] = field(default_factory=list)
    at: Callable[[int, str, When], None] = lambda number, name, when: None

    def pass_on(self, name: str, place: str, act: Callable[[], Any]) -> Any:
        """Make one call, with a question before and after it."""
        number = len(self.seen)
        self.seen.append((name, place))
        self.at(number, name, "before")
        result = act()
        self.at(number, name, "after")
        return result


@dataclass
class Stream:
    """A file open for writing whose writes are counted and can be torn in the middle."""

    inner: Any
    calls: Calls
    place: str

    def write(self, data: bytes) -> int:
        """Write half, ask whether the process ends here, write the rest: one call as the system may split it."""

        def act() -> int:
            half = self.inner.write(data[: len(data) // 2])
            self.inner.flush()
            self.calls.at(len(self.calls.seen) - 1, "write", "torn")
            return int(half + self.inner.write(data[half:]))

        return int(self.calls.pass_on("write", self.place, act))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.inner.close()


def place_of(target: Any) -> str:
    """The path behind a path or a descriptor."""
    return os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else os.fspath(target)


@contextmanager
def watched(calls: Calls, trade: bool = True, really_sync: bool = False) -> Iterator[Calls]:
    """Lead every durable call of this process through `calls`; without `trade` two names cannot be swapped at once."""
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, _passing(calls, name, getattr(os, name), really_sync))
        opening, swapping = io.open, disk.exchange

        def opened(file: Any, mode: str = "r", *given: Any, **named: Any) -> Any:
            if not set(mode) & set("wax+"):
                return opening(file, mode, *given, **named)
            inner = calls.pass_on("open", place_of(file), lambda: opening(file, mode, *given, **named))
            return Stream(inner, calls, place_of(file)) if "b" in mode else inner

        def exchanged(one: Path, other: Path) -> bool:
            return trade and bool(calls.pass_on("exchange", str(other), lambda: swapping(one, other)))

        patch.setattr(io, "open", opened)
        patch.setattr(durable, "exchange", exchanged)
        yield calls


def _passing(calls: Calls, name: str, real: Callable[..., Any], really_sync: bool) -> Callable[..., Any]:
    def passed(target: Any, *given: Any, **named: Any) -> Any:
        def act() -> Any:
            if name == "fsync" and not really_sync:  # a kill does not lose what was not synced: only a power cut does
                return None
            return real(target, *given, **named)

        return calls.pass_on(name, place_of(target), act)

    return passed


def killed(work: Callable[[], object], number: int, when: When, trade: bool = True) -> bool:
    """Do the work in a child that dies at call `number`; False when the work was done before it came to that call."""

    def at(now: int, _: str, moment: When) -> None:
        if now == number and moment == when:
            os._exit(9)

    child = os.fork()
    if child == 0:
        try:
            with watched(Calls(at=at), trade):
                work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9), f"the child failed by itself at call {number} ({when})"
    return code == 9


def refusing(number: int, code: int) -> Calls:
    """Calls of which one is refused by the system with an error code."""

    def at(now: int, _: str, when: When) -> None:
        if now == number and when == "before":
            raise OSError(code, os.strerror(code))

    return Calls(at=at)


def contents(folder: Path) -> dict[str, bytes] | None:
    """The bytes of every file inside; None where there is no folder."""
    if not folder.is_dir():
        return None
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def hidden(folder: Path) -> list[str]:
    """The names in a folder that no reader should see."""
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def fresh(folder: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def can_trade(folder: Path) -> bool:
    """Whether this system trades two names in one step."""
    one, other = fresh(folder / "one"), fresh(folder / "other")
    return disk.exchange(one, other)


REFUSALS = {
    errno.ENOSPC: "no space left",
    errno.EDQUOT: "no space left",
    errno.EIO: "the disk failed",
    errno.EROFS: "cannot be written",
    errno.EACCES: "cannot be written",
}
