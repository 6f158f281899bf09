"""The one writer every artefact goes through: a kill at any instant leaves the old state or the new one, whole.

A folder is filled in a staging place beside its target, every file and folder is synced, a manifest with the SHA-256
of each file is written, and one rename publishes it. What does not match its manifest is set aside under another name,
never deleted. Beside NAME there may stand, hidden: .NAME.staging (being written, or left by a kill), .NAME.old (the
version before, where the system cannot trade two names in one step) and .NAME.gone (being deleted); the next writer
puts back or clears what it finds.

Covered: SIGKILL, power loss, disk full, bit flips, truncation, two processes. Not covered: disks that lie about fsync,
network file systems without flock, and somebody who rewrites a file together with its manifest.
"""

import contextlib
import errno
import fcntl
import glob
import hashlib
import json
import os
import re
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dragoman.core.disk import alone, beside, exchange, existing, files_in, held, make, real, remove, spoken, sync
from dragoman.core.errors import Busy, UserError

__all__ = [
    "append",
    "digest",
    "lock",
    "newest",
    "plain",
    "problems",
    "publish",
    "quarantine",
    "retain",
    "room",
    "versions",
    "write",
    "write_json",
]

MANIFEST = "manifest.json"
CHUNK = 1 << 20


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, or of a folder's sorted relative names and file digests."""
    whole = hashlib.sha256()
    if path.is_dir():
        for file in sorted(file for file in path.rglob("*") if file.is_file()):
            whole.update(f"{file.relative_to(path).as_posix()}\0{digest(file)}\n".encode())
        return whole.hexdigest()
    with path.open("rb") as stream:
        while block := stream.read(CHUNK):
            whole.update(block)
    return whole.hexdigest()


def room(path: Path, needed: int) -> None:
    """Refuse before the work when the disk under `path` has fewer than `needed` bytes free."""
    free = shutil.disk_usage(existing(path)).free
    if free < needed:
        raise UserError(
            f"{path} needs {needed:,} bytes and the disk has {free:,} free",
            "free some space, or put the runs elsewhere with runs=PATH; then give the same command again",
        ) from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def publish(target: Path, fill: Callable[[Path], None], needed: int = 0) -> Path:
    """Let `fill` write into an empty staging folder, then publish it as `target` in one step, with its manifest.

    Raises UserError when the disk is full or the place cannot be written, Busy when another process is publishing
    there; the staging folder is removed and whatever stood at `target` before stands there still. A link is followed.
    """
    with spoken(target):
        place = real(target)
        stage = beside(place, "staging")
        make(place.parent)
        room(place.parent, needed)
        _recover(place)
        if os.path.lexists(place) and not place.is_dir():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(place))
        with _claimed(stage):
            fill(stage)
            _seal(stage)
            _swap(stage, place)
    return target


@contextlib.contextmanager
def _claimed(stage: Path) -> Iterator[None]:
    """An empty staging folder for this writer alone; whatever stands there in the end is removed."""
    with alone(stage.parent):
        if held(stage):
            raise Busy(f"{stage} is being written by another process", "wait for it to end; then run this again")
        remove(stage)
        stage.mkdir()
        descriptor = os.open(stage, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        with alone(stage.parent):  # so that nobody claims it while it goes
            remove(stage)
        os.close(descriptor)


def _seal(stage: Path) -> None:
    """Sync every file, write the manifest, sync every folder."""
    (stage / MANIFEST).unlink(missing_ok=True)  # a copy of a published folder brings the old one along
    files = {}
    for file in files_in(stage):
        if file.is_symlink() or not file.is_file():
            raise ValueError(f"{file} is not a plain file: what is published must stand on its own")
        os.chmod(file, 0o644)
        sync(file)
        files[file.relative_to(stage).as_posix()] = {"sha256": digest(file), "size": file.stat().st_size}
    (stage / MANIFEST).write_bytes(_manifest(files))
    sync(stage / MANIFEST)
    for folder in [folder for folder in stage.rglob("*") if folder.is_dir()] + [stage]:
        sync(folder)


def _swap(stage: Path, target: Path) -> None:
    """Put the stage in the target's place; a whole old version goes, a damaged one is set aside."""
    damaged = target.exists() and any(target.iterdir()) and problems(target)
    with alone(target.parent) as parent:
        if damaged:
            quarantine(target)
        if not target.exists():
            stage.rename(target)
        elif not exchange(stage, target):
            old = beside(target, "old")
            remove(old)
            target.rename(old)  # a kill after this line leaves no target: _recover puts the old version back
            try:
                stage.rename(target)
            except BaseException:
                old.rename(target)
                raise
        os.fsync(parent)
    remove(beside(target, "old"))


def _recover(target: Path) -> None:
    """Put back the old version that a kill between two renames left hidden."""
    old = beside(target, "old")
    if old.exists() and not os.path.lexists(target):
        with alone(target.parent) as parent:
            if not os.path.lexists(target):
                old.rename(target)
                os.fsync(parent)


def write(path: Path, data: bytes) -> None:
    """Replace one file in one step: after a crash it holds the old bytes or the new ones.

    The mode of the file stays, and a link is followed. Raises UserError as publish does.
    """
    with spoken(path):
        place = real(path)
        stage = beside(place, "staging")
        make(place.parent)
        with alone(place.parent) as parent:
            try:
                remove(stage)
                with stage.open("wb") as stream:
                    if place.exists():
                        os.fchmod(stream.fileno(), stat.S_IMODE(place.stat().st_mode))
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
                stage.replace(place)
            except BaseException:
                remove(stage)
                raise
            os.fsync(parent)


def write_json(path: Path, value: Any) -> None:
    """Replace one JSON file in one step. NaN is written as null: JSON has no other word for it."""
    write(path, (json.dumps(plain(value), indent=1, ensure_ascii=False) + "\n").encode(errors="backslashreplace"))


def append(path: Path, line: str) -> None:
    """Add one line and sync it before returning, so that an acknowledged line survives a kill.

    A line that does not fit on the disk leaves nothing behind; one that a power cut tore is closed first, so that it
    spoils no other.
    """
    data = line.rstrip("\n").encode(errors="backslashreplace") + b"\n"
    with spoken(path):
        make(path.parent)
        with path.open("a+b", buffering=0) as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            size = stream.seek(0, os.SEEK_END)
            if size and os.pread(stream.fileno(), 1, size - 1) != b"\n":
                data = b"\n" + data
            try:
                while data:
                    data = data[stream.write(data) :]
                os.fsync(stream.fileno())
            except BaseException:
                stream.truncate(size)
                raise
        sync(path.parent)


def problems(folder: Path) -> list[str]:
    """What is wrong with a published folder, one sentence a file; empty when every byte is as it was published."""
    _recover(folder)
    if not (folder / MANIFEST).is_file():  # a pipe in its place would be waited for
        return [f"{folder / MANIFEST} is missing"]
    try:
        raw = (folder / MANIFEST).read_bytes()
        files: dict[str, dict[str, Any]] = json.loads(raw)["files"]
        if raw != _manifest(files):
            return [f"{folder / MANIFEST} does not match its own checksum"]
    except (OSError, ValueError, KeyError, TypeError):
        return [f"{folder / MANIFEST} cannot be read"]
    present = {file.relative_to(folder).as_posix() for file in files_in(folder)} - {MANIFEST}
    found = [f"{folder / name} is not in the manifest" for name in sorted(present - files.keys())]
    for name, entry in files.items():
        wrong = _wrong(folder / name, entry["size"], entry["sha256"]) if name in present else "is missing"
        if wrong:
            found.append(f"{folder / name} {wrong}")
    return found


def _wrong(file: Path, size: int, sha256: str) -> str:
    """How a file differs from its entry in the manifest; empty when it does not."""
    try:
        if file.is_symlink() or not file.is_file():
            return "is not a plain file"
        if file.stat().st_size != size:
            return f"has {file.stat().st_size:,} bytes instead of {size:,}"
        return "" if digest(file) == sha256 else "does not match its checksum"
    except OSError as error:  # a bad sector, or gone since it was listed
        return f"cannot be read: {error.strerror}"


def quarantine(folder: Path) -> Path:
    """Set a damaged folder aside as NAME.damaged-N and return its new place."""
    number = 1
    while os.path.lexists(aside := folder.parent / f"{folder.name}.damaged-{number}"):
        number += 1
    with spoken(folder):
        folder.rename(aside)
        sync(folder.parent)
    return aside


def versions(folder: Path, prefix: str) -> list[tuple[int, Path]]:
    """The published versions `prefix-000120`, by step, oldest first. The order is by step, never by a clock."""
    for old in folder.glob(f".{glob.escape(prefix)}-*.old"):
        _recover(folder / old.name[1 : -len(".old")])
    named = re.compile(re.escape(prefix) + r"-([0-9]+)")
    inside = [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    return sorted((int(match[1]), path) for path in inside if (match := named.fullmatch(path.name)))


def newest(folder: Path, prefix: str, said: Callable[[str], None]) -> Path | None:
    """The newest version that matches its manifest; damaged ones are set aside, and `said` is told what and why."""
    for _, path in reversed(versions(folder, prefix)):
        wrong = problems(path)
        if not wrong:
            return path
        said(f"{wrong[0]}: set aside as {quarantine(path).name}, going on from the version before it")
    return None


def retain(folder: Path, prefix: str, keep: int) -> None:
    """Delete all but the newest `keep` versions, oldest first; the newest and the newest undamaged one always stay.

    Every version to delete is renamed first, so that a kill never leaves half of one under its name.
    """
    stay, whole, aged = 0, False, []
    for _, path in reversed(versions(folder, prefix)):
        if stay >= keep and whole:
            aged.append(path)
        else:
            stay, whole = stay + 1, whole or not problems(path)
    with spoken(folder):
        for path in reversed(aged):
            remove(beside(path, "gone"))
            path.rename(beside(path, "gone"))
        if aged:
            sync(folder)
        names = [f".{glob.escape(prefix)}-*.{word}" for word in ("gone", "old", "staging")]
        hidden = [path for name in names for path in folder.glob(name)]
        if hidden:  # those of a killed process too, so that the disk does not fill with them
            with alone(folder):
                for path in hidden:
                    if not held(path):
                        remove(path)


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold a folder for this process. Raises Busy naming the holder; the lock of a killed process is gone with it."""
    with spoken(folder):
        make(folder)
        stream = (folder / ".lock").open("a+b", buffering=0)
    with stream:
        try:
            with spoken(folder):
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().decode(errors="replace").strip() or "another process"
            hint = "wait for it to end, or stop that process; then run this again"
            raise Busy(f"{folder} is in use by {holder}", hint) from None
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with spoken(folder):
            stream.truncate(0)
            stream.write(f"process {os.getpid()} on {socket.gethostname()} since {now}".encode())
        yield


def _manifest(files: dict[str, dict[str, Any]]) -> bytes:
    body = json.dumps(files, sort_keys=True)
    return json.dumps({"files": files, "sha256": hashlib.sha256(body.encode()).hexdigest()}, sort_keys=True).encode()


def plain(value: Any) -> Any:
    """A value as JSON can say it: a figure that is not finite becomes null."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))) else value
