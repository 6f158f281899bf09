"""The one writer every artefact goes through: what is listed is complete, and a kill at any instant leaves the old or the new state.

A folder is filled in a staging place beside its target, every file and folder is synced, a manifest with the SHA-256 of each
file is written, and one rename publishes it. What does not match its manifest is set aside under another name, never deleted.

Covered: SIGKILL, power loss, disk full, bit flips, truncation, two processes. Not covered: disks that lie about fsync, network
file systems without flock, and somebody who rewrites a file together with its manifest.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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
    free = shutil.disk_usage(_existing(path)).free
    if free < needed:
        raise UserError(
            f"{path} needs {needed:,} bytes and the disk has {free:,} free",
            "free some space, or put the runs elsewhere with runs=PATH; then give the same command again",
        )


def publish(target: Path, fill: Callable[[Path], None], needed: int = 0) -> Path:
    """Let `fill` write into an empty staging folder, then publish it as `target` in one step, with its manifest.

    Raises UserError when the disk is full or the place cannot be written; the staging folder is removed and whatever stood
    at `target` before stands there still.
    """
    stage = target.parent / f".{target.name}.staging"
    with _spoken(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        room(target.parent, needed)
        shutil.rmtree(stage, ignore_errors=True)
        try:
            stage.mkdir()
            fill(stage)
            files = {}
            for file in sorted(file for file in stage.rglob("*") if file.is_file()):
                os.chmod(file, 0o644)
                _sync(file)
                name = file.relative_to(stage).as_posix()
                files[name] = {"sha256": digest(file), "size": file.stat().st_size}
            (stage / MANIFEST).write_bytes(_manifest(files))
            _sync(stage / MANIFEST)
            for folder in [folder for folder in stage.rglob("*") if folder.is_dir()] + [stage]:
                _sync(folder)
            _swap(stage, target)
        except BaseException:
            shutil.rmtree(stage, ignore_errors=True)
            raise
    return target


def _swap(stage: Path, target: Path) -> None:
    """Rename the stage onto the target; a whole old version makes place and is then removed, a damaged one is kept aside."""
    old = target.parent / f".{target.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        if problems(target):
            quarantine(target)
        else:
            target.rename(old)
    stage.rename(target)
    _sync(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def write(path: Path, data: bytes) -> None:
    """Replace one file in one step: after a crash it holds the old bytes or the new ones."""
    stage = path.parent / f".{path.name}.staging"
    with _spoken(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with stage.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            stage.replace(path)
            _sync(path.parent)
        except BaseException:
            stage.unlink(missing_ok=True)
            raise


def write_json(path: Path, value: Any) -> None:
    """Replace one JSON file in one step. NaN is written as null: JSON has no other word for it."""
    write(path, (json.dumps(plain(value), indent=1, ensure_ascii=False) + "\n").encode())


def append(path: Path, line: str) -> None:
    """Add one line and sync it before returning, so that an acknowledged line survives a kill."""
    with _spoken(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as stream:
            stream.write(line.rstrip("\n").encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        _sync(path.parent)


def problems(folder: Path) -> list[str]:
    """What is wrong with a published folder, one sentence a file; empty when every byte is as it was published."""
    try:
        raw = (folder / MANIFEST).read_bytes()
        files: dict[str, dict[str, Any]] = json.loads(raw)["files"]
        if raw != _manifest(files):
            return [f"{folder / MANIFEST} does not match its own checksum"]
    except FileNotFoundError:
        return [f"{folder / MANIFEST} is missing"]
    except (OSError, ValueError, KeyError, TypeError):
        return [f"{folder / MANIFEST} cannot be read"]
    found = []
    present = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()} - {MANIFEST}
    for name in sorted(present - files.keys()):
        found.append(f"{folder / name} is not in the manifest")
    for name, entry in files.items():
        file = folder / name
        if name not in present:
            found.append(f"{file} is missing")
        elif file.stat().st_size != entry["size"]:
            found.append(f"{file} has {file.stat().st_size:,} bytes instead of {entry['size']:,}")
        elif digest(file) != entry["sha256"]:
            found.append(f"{file} does not match its checksum")
    return found


def quarantine(folder: Path) -> Path:
    """Set a damaged folder aside as NAME.damaged-N and return its new place."""
    number = 1
    while (aside := folder.parent / f"{folder.name}.damaged-{number}").exists():
        number += 1
    folder.rename(aside)
    _sync(folder.parent)
    return aside


def versions(folder: Path, prefix: str) -> list[tuple[int, Path]]:
    """The published versions `prefix-000120`, by step, oldest first. The order is by step, never by a clock."""
    named = re.compile(re.escape(prefix) + r"-(\d+)")
    found = [(named.fullmatch(path.name), path) for path in folder.iterdir()] if folder.is_dir() else []
    return sorted((int(match[1]), path) for match, path in found if match)


def newest(folder: Path, prefix: str, said: Callable[[str], None]) -> Path | None:
    """The newest version that matches its manifest. Damaged ones are set aside, and `said` is told which file and why."""
    for _, path in reversed(versions(folder, prefix)):
        wrong = problems(path)
        if not wrong:
            return path
        said(f"{wrong[0]}: set aside as {quarantine(path).name}, going on from the version before it")
    return None


def retain(folder: Path, prefix: str, keep: int) -> None:
    """Delete all but the newest `keep` versions, oldest first, so that a kill in between leaves the newest."""
    for _, path in versions(folder, prefix)[: -keep or None]:
        gone = path.parent / f".{path.name}.old"
        path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold a folder for this process. Raises Busy naming the holder; the lock of a killed process is gone with it."""
    with _spoken(folder):
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / ".lock").open("a+b")
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().decode(errors="replace").strip() or "another process"
            raise Busy(
                f"{folder} is in use by {holder}", "wait for it to end, or stop that process; then give the same command"
            ) from None
        stream.truncate(0)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        stream.write(f"process {os.getpid()} on {socket.gethostname()} since {now}".encode())
        stream.flush()
        yield


@contextlib.contextmanager
def _spoken(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into one sentence with the path and the numbers."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            free = shutil.disk_usage(_existing(path)).free
            problem = f"no space left while writing {path} ({free:,} bytes free)"
            hint = "free some space, or put the runs elsewhere with runs=PATH; then give the same command again"
        elif isinstance(error, PermissionError) or error.errno == errno.EROFS:
            problem, hint = f"{path} cannot be written: {error.strerror}", "choose another place with runs=PATH"
        elif isinstance(error, FileExistsError | NotADirectoryError):
            problem, hint = f"{path} cannot be made: a file stands in the way", "move it, or choose runs=PATH"
        elif error.errno == errno.EIO:
            problem, hint = f"the disk failed while writing {path}: {error.strerror}", "put the runs elsewhere with runs=PATH"
        else:
            raise
        raise UserError(problem, hint) from error


def _existing(path: Path) -> Path:
    return next(parent for parent in [path, *path.absolute().parents] if parent.exists())


def _manifest(files: dict[str, dict[str, Any]]) -> bytes:
    body = json.dumps(files, sort_keys=True)
    return json.dumps({"files": files, "sha256": hashlib.sha256(body.encode()).hexdigest()}, sort_keys=True).encode()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def plain(value: Any) -> Any:
    """A value as JSON can say it: a figure that is not finite becomes null."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))) else value
