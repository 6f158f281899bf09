"""The steps under the durable writer: sync, trade, hold, and what the file system refuses said in one sentence."""

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from safetensors import SafetensorError

from dragoman.core.errors import UserError

__all__ = [
    "alone",
    "beside",
    "exchange",
    "existing",
    "files_in",
    "held",
    "make",
    "real",
    "remove",
    "spoken",
    "sync",
    "typed",
]

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
NO_WRITING = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP)
IN_THE_WAY = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY)
HERE, TRADE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of renameat2(2), Linux 3.15


def exchange(one: Path, other: Path) -> bool:
    """Let two folders trade names in one step, so that neither is ever missing; False where the system cannot."""
    system = ctypes.CDLL(None)
    if not hasattr(system, "renameat2"):
        return False
    return bool(system.renameat2(HERE, os.fsencode(one), HERE, os.fsencode(other), TRADE) == 0)


def beside(path: Path, word: str) -> Path:
    """The hidden neighbour of a path: `.NAME.staging` for NAME."""
    return path.parent / f".{path.name}.{word}"


def typed(path: str | Path) -> Path:
    """The path that a person typed, `~` being their home. Raises UserError where `~somebody` is nobody here."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"there is no home folder for '{path}'", "write the whole path instead of ~name") from None


def real(path: Path) -> Path:
    """Where a link leads, and any other path as it is."""
    return path.resolve() if path.is_symlink() else path


def files_in(folder: Path) -> list[Path]:
    """Everything inside that is not a folder, links to folders included."""
    return sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())


def make(folder: Path) -> None:
    """Make a folder and those above it, each synced into its parent."""
    missing = [path for path in [folder, *folder.parents] if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync(path.parent)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder; what cannot be removed now is met again by the next writer."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[int]:
    """Hold a folder for the moments in which its names change; yields its descriptor. It ends with the process.

    Raises ValueError for a staging folder: who fills one holds it already, and would wait for himself for ever.
    """
    if folder.name.startswith(".") and folder.name.endswith(".staging"):
        raise ValueError(f"{folder} is being filled for publish: write into it plainly")
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def held(stage: Path) -> bool:
    """Whether a living process is writing this staging folder."""
    if not stage.is_dir():
        return False
    descriptor = os.open(stage, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return next(parent for parent in [path, *path.absolute().parents] if parent.exists())


def sync(path: Path) -> None:
    """Return when the disk holds what a file, or the list of names in a folder, is now."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def spoken(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into one sentence with the path and the numbers."""
    try:
        yield
    except SafetensorError as error:
        number = re.search(r"\(os error (\d+)\)", str(error))  # its writer is in Rust and tells the system's in words
        if number is None:
            raise
        _speak(path, OSError(int(number[1]), os.strerror(int(number[1]))))
    except OSError as error:
        _speak(path, error)


def _speak(path: Path, error: OSError) -> NoReturn:
    if error.errno in NO_SPACE:
        free = shutil.disk_usage(existing(path)).free
        problem = f"no space left while writing {path} ({free:,} bytes free)"
        hint = "free some space, or put the runs elsewhere with runs=PATH; then give the same command again"
    elif error.errno in NO_WRITING:
        problem, hint = f"{path} cannot be written: {error.strerror}", "choose another place with runs=PATH"
    elif error.errno in IN_THE_WAY:
        problem = f"{path} cannot be made: {error.filename2 or error.filename or 'something'} stands in the way"
        hint = "move it, or choose another place with runs=PATH"
    elif error.errno in NO_LOCKS:
        problem, hint = f"{path} cannot be locked: {error.strerror}", "choose a local disk with runs=PATH"
    elif error.errno == errno.EIO:
        problem = f"the disk failed while writing {path}: {error.strerror}"
        hint = "put the runs elsewhere with runs=PATH"
    else:
        raise error
    raise UserError(problem, hint) from error
