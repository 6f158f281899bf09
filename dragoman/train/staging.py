"""A folder that all processes fill together and one publishes, whether they see one disk or each its own.

The first process writes through core/durable as it would alone; what another writes lies in a folder of its own in the
same staging folder before the manifest is made, which so covers it. Whoever does not see that folder sends its files
through the first process, and is sent what it is to read. What was published is whole, whichever process is killed.
"""

import contextlib
import json
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch import distributed as group

from dragoman.core import durable
from dragoman.core.disk import files_in, make, spoken, sync
from dragoman.core.errors import UserError
from dragoman.train.world import World

__all__ = ["place_of", "publish", "reachable"]

CHUNK = 1 << 26
"bytes that are sent at a time"


@dataclass(frozen=True, slots=True)
class _Report:
    """What a process says when it has filled its folder."""

    sees: bool
    "whether it sees the staging folder of the first process"
    error: str
    sizes: dict[str, int]
    "bytes of each file it wrote"


def place_of(folder: Path, rank: int) -> Path:
    """Where a process's files lie in a folder that several filled."""
    return folder / f"process-{rank:05d}" if rank else folder


def publish(world: World, target: Path, fill: Callable[[Path], None], needed: int = 0) -> Path:
    """As durable.publish, with files of every process: `fill` is called in each with a folder of its own.

    Raises the same UserError in every process, also where another one could not write.
    """
    if not world.sharded:
        return durable.publish(target, fill, needed)
    begun: list[Path] = []

    def together(stage: Path) -> None:
        mark = stage / f".{uuid.uuid4().hex}"  # who sees it sees this very folder, not one of the same name
        mark.touch()
        world.told([str(stage), mark.name])
        begun.append(stage)
        try:
            _fill(world, stage, mark, fill)
        finally:
            mark.unlink()

    def write() -> None:
        try:
            durable.publish(target, together, needed)
        finally:
            if not begun:
                world.told(None)  # the others still wait to hear where

    if not world.first and (told := world.told(None)):
        _fill(world, Path(told[0]), Path(told[0], told[1]), fill)
    world.once(write)
    return target


def _fill(world: World, stage: Path, mark: Path, fill: Callable[[Path], None]) -> None:
    """Write this process's files where they belong, or send them there. In the first, raise what any could not do."""
    sees = mark.exists()
    with tempfile.TemporaryDirectory() if not sees else contextlib.nullcontext(stage) as base:
        own, error = place_of(Path(base), world.rank), ""
        try:
            with spoken(own):
                make(own)
                fill(own)
                for path in files_in(own) if not world.first else ():
                    sync(path)
        except Exception as wrong:  # whatever it is, the others must hear of it at the place where they wait
            error = wrong.problem if isinstance(wrong, UserError) else repr(wrong)
        sizes = {path.name: path.stat().st_size for path in files_in(own)} if not world.first else {}
        said = world.joined([json.dumps(asdict(_Report(sees, error, sizes)))])
        reports = [_Report(**json.loads(one)) for one in said]
        if errors := [report.error for report in reports if report.error]:
            if world.first:
                raise UserError(errors[0], "look at that machine's disk, or put the runs elsewhere with runs=PATH")
            return
        for rank, report in enumerate(reports):
            if not report.sees:
                _collect(world, rank, own, place_of(stage, rank), report.sizes)
        if world.first:
            _check(stage, reports)


def _collect(world: World, rank: int, own: Path, place: Path, sizes: dict[str, int]) -> None:
    """Send the files of one process to the first, which writes them; what it cannot write it still hears out."""
    if world.rank not in (0, rank):
        return
    wrong: UserError | None = None
    for name, size in sizes.items():
        with contextlib.ExitStack() as stack:
            if not world.first:
                stream = stack.enter_context((own / name).open("rb"))
                for _ in range(0, size, CHUNK):
                    group.send(_tensor(stream.read(CHUNK)), 0)
                continue
            for start in range(0, max(size, 1), CHUNK):
                part = torch.empty(min(CHUNK, size - start), dtype=torch.uint8)
                if size:
                    group.recv(part, rank)
                try:
                    if not wrong:
                        _append(place / name, part)
                except UserError as error:
                    wrong = error
    if wrong:
        raise wrong


def _check(stage: Path, reports: list[_Report]) -> None:
    """Raise UserError where a file that another process wrote has not arrived here: a network disk may be late."""
    for rank, report in enumerate(reports):
        for name, size in report.sizes.items():
            path = place_of(stage, rank) / name
            if path not in files_in(stage) or path.stat().st_size != size:
                raise UserError(
                    f"{path}, which process {rank} wrote, does not show here",
                    "put the runs on a disk that is not shared, or shows files at once, with runs=PATH",
                )


@contextlib.contextmanager
def reachable(world: World, folder: Path) -> Iterator[Path]:
    """Where this process can read what the first one sees published at `folder`: there, or in a copy that is sent."""
    if not world.sharded:
        yield folder
        return
    manifest = folder / "manifest.json"
    wanted = world.told(durable.digest(manifest) if world.first else None)
    sees = manifest.is_file() and durable.digest(manifest) == wanted
    if all(one == "yes" for one in world.joined(["yes" if sees else "no"])):
        yield folder
        return
    with tempfile.TemporaryDirectory() as base:
        sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files_in(folder)}
        for name, size in world.told(sizes).items():
            _spread(world, folder / name, None if sees else Path(base, name), size)
        yield folder if sees else Path(base)


def _spread(world: World, source: Path, copy: Path | None, size: int) -> None:
    """Send a file of the first process to all; those with a `copy` write it there."""
    with source.open("rb") if world.first else contextlib.nullcontext() as stream:
        for start in range(0, max(size, 1), CHUNK):  # an empty file is made too
            part = _tensor(stream.read(CHUNK)) if stream else torch.empty(min(CHUNK, size - start), dtype=torch.uint8)
            if size:
                group.broadcast(part, 0)
            if copy is not None:
                _append(copy, part)


def _append(path: Path, part: Tensor) -> None:
    with spoken(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as stream:
            stream.write(part.numpy().tobytes())


def _tensor(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)
