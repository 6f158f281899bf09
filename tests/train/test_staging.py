"""What several processes fill together is published whole or not at all, on one disk or on two."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from dragoman.core import durable
from dragoman.core.errors import UserError
from dragoman.train import staging
from dragoman.train.staging import place_of, publish, reachable
from dragoman.train.world import World, alone
from tests.train.together import together


def note(world: World, text: str = "") -> Any:
    """What a process writes: its rank, and in the first a file of all."""

    def fill(folder: Path) -> None:
        (folder / "own").write_text(f"{world.rank}{text}")
        (folder / "empty").touch()
        if world.first:
            (folder / "all").write_text("of all")

    return fill


def read(world: World, target: Path) -> list[str]:
    """What this process reads there."""
    with reachable(world, target) as place:
        return [(place_of(place, rank) / "own").read_text() for rank in range(world.size)]


def full(folder: Path) -> None:
    """A disk without room."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def publish_all(world: World, folder: str) -> dict[str, Any]:
    """Every way in which it goes well or wrong."""
    target, found = Path(folder, "one"), dict[str, Any]()
    publish(world, target, note(world))
    found["together"] = read(world, target)
    publish(world, target, note(world, " again"))
    found["again"] = read(world, target)
    in_the_way = Path(folder, "file")
    world.once(lambda: in_the_way.touch())
    for name, place, fill in (
        ("other full", target, full if world.rank else note(world, " lost")),
        ("first full", target, note(world, " lost") if world.rank else full),
        ("first cannot", in_the_way, note(world)),
    ):
        with pytest.raises(UserError) as caught:
            publish(world, place, fill)
        found[name] = caught.value.problem
    found["still"] = read(world, target)
    os.chdir(Path(folder, f"machine-{world.rank}"))
    staging.CHUNK = 3  # so that a file is sent in parts
    apart = Path("runs", "two")
    publish(world, apart, note(world, " from afar"))
    found["apart"] = read(world, apart)
    found["has"] = apart.exists()
    return found


def test_two_processes(tmp_path: Path) -> None:
    for rank in range(2):
        (tmp_path / f"machine-{rank}").mkdir()
    first, second = together("tests.train.test_staging:publish_all", str(tmp_path))
    for found in (first, second):
        assert found["together"] == ["0", "1"]
        assert found["again"] == found["still"] == ["0 again", "1 again"]
        assert "no space left" in found["other full"]
        assert "no space left" in found["first full"]
        assert "stands in the way" in found["first cannot"]
        assert found["apart"] == ["0 from afar", "1 from afar"]
    assert first["has"]
    assert not second["has"]
    two = tmp_path / "machine-0" / "runs" / "two"
    for folder in (tmp_path / "one", two):
        assert not durable.problems(folder)
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        assert names == ["all", "empty", "manifest.json", "own", "process-00001/empty", "process-00001/own"]
    (two / "process-00001" / "own").write_text("1 from afaR")
    assert "does not match its checksum" in durable.problems(two)[0]


def test_alone_it_is_the_durable_writer(tmp_path: Path) -> None:
    publish(alone(), tmp_path / "one", note(alone()))
    assert read(alone(), tmp_path / "one") == ["0"]
    with pytest.raises(UserError, match="no space left"):
        publish(alone(), tmp_path / "one", full)
