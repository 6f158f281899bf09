"""Nothing is published before the disk holds it: writes, syncs and renames come in the order a power cut forgives."""

import sys
from pathlib import Path

import pytest

from dragoman.core import durable
from tests.laws.syscalls import Calls, can_trade, fresh, watched

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a descriptor is led back to its path through /proc")
CHANGES = ("open", "write", "chmod", "fchmod")
NAMES = ("open", "mkdir", "rename", "replace", "exchange")


def fill(stage: Path) -> None:
    (stage / "deep" / "er").mkdir(parents=True)
    (stage / "top.bin").write_bytes(b"top")
    (stage / "deep" / "er" / "inner.bin").write_bytes(b"inner")


def last(calls: Calls, names: tuple[str, ...], path: Path) -> int:
    """The number of the last of these calls on a path."""
    found = [number for number, (name, place) in enumerate(calls.seen) if name in names and place == str(path)]
    assert found, f"no {names} of {path} in {calls.seen}"
    return found[-1]


def first(calls: Calls, names: tuple[str, ...], path: Path) -> int:
    """The number of the first of these calls on a path."""
    return next(number for number, (name, place) in enumerate(calls.seen) if name in names and place == str(path))


@pytest.mark.parametrize("case", ["first", "trade", "two renames", "damaged"])
def test_publish_syncs_all_then_renames_then_syncs_the_parent_then_clears(tmp_path: Path, case: str) -> None:
    if case == "trade" and not can_trade(tmp_path):
        pytest.skip("this system cannot trade two names in one step")
    place = fresh(tmp_path / "place")
    target, stage, old = place / "target", place / ".target.staging", place / ".target.old"
    if case != "first":
        durable.publish(target, fill)
    if case == "damaged":
        (target / "top.bin").unlink()
    with watched(Calls(), trade=case != "two renames", really_sync=True) as calls:
        durable.publish(target, fill)
    publishing = last(calls, ("exchange",), target) if case == "trade" else last(calls, ("rename",), stage)
    for file in ("top.bin", "deep/er/inner.bin", "manifest.json"):
        synced = last(calls, ("fsync",), stage / file)
        assert last(calls, CHANGES, stage / file) < synced < publishing, f"{file} was renamed before it was on the disk"
    for folder, names in {"deep/er": "deep/er/inner.bin", "deep": "deep/er", "": "manifest.json"}.items():
        assert last(calls, NAMES, stage / names) < last(calls, ("fsync",), stage / folder) < publishing, folder
    parent = last(calls, ("fsync",), place)
    assert publishing < parent, "the rename was not synced"
    removals = [
        number for number, (name, _) in enumerate(calls.seen) if name in ("unlink", "rmdir") and number > publishing
    ]
    assert all(parent < number for number in removals), "the old version went before the new one was on the disk"
    if case == "two renames":
        assert last(calls, ("rename",), target) < publishing
        assert not old.exists()
    if case == "damaged":
        assert last(calls, ("rename",), target) < first(calls, ("fsync",), place) < publishing


def test_write_syncs_the_bytes_then_replaces_then_syncs_the_parent(tmp_path: Path) -> None:
    with watched(Calls(), really_sync=True) as calls:
        durable.write(tmp_path / "file", b"bytes")
    stage = tmp_path / ".file.staging"
    order = [
        last(calls, ("write",), stage),
        last(calls, ("fsync",), stage),
        last(calls, ("replace",), stage),
        last(calls, ("fsync",), tmp_path),
    ]
    assert order == sorted(order), calls.seen


def test_append_returns_only_when_the_line_is_on_the_disk(tmp_path: Path) -> None:
    with watched(Calls(), really_sync=True) as calls:
        durable.append(tmp_path / "journal", "line")
    order = [last(calls, ("write",), tmp_path / "journal"), last(calls, ("fsync",), tmp_path / "journal")]
    assert order == sorted(order), calls.seen
    assert last(calls, ("fsync",), tmp_path) > order[0]


@pytest.mark.parametrize("verb", ["publish", "write", "append", "lock"])
def test_every_new_folder_on_the_way_is_synced_into_the_one_above(tmp_path: Path, verb: str) -> None:
    target = tmp_path / "runs" / "train-1" / "model"
    with watched(Calls(), really_sync=True) as calls:
        if verb == "publish":
            durable.publish(target, fill)
        elif verb == "write":
            durable.write(target, b"bytes")
        elif verb == "append":
            durable.append(target, "line")
        else:
            with durable.lock(target):
                pass
    for made in (tmp_path / "runs", tmp_path / "runs" / "train-1"):
        assert last(calls, ("mkdir",), made) < last(calls, ("fsync",), made.parent)


def test_retain_syncs_the_new_names_before_it_deletes(tmp_path: Path) -> None:
    """Or a power cut could bring a name back whose files are gone."""
    for step in (1, 2, 3):
        durable.publish(tmp_path / f"step-{step}", fill)
    with watched(Calls(), really_sync=True) as calls:
        durable.retain(tmp_path, "step", 1)
    renamed = [last(calls, ("rename",), tmp_path / f"step-{step}") for step in (1, 2)]
    assert renamed == sorted(renamed), "the oldest goes first"
    removed = [number for number, (name, _) in enumerate(calls.seen) if name in ("unlink", "rmdir")]
    synced = last(calls, ("fsync",), tmp_path)
    assert renamed[-1] < synced < min(number for number in removed if number > renamed[-1])


def test_an_old_version_put_back_is_synced(tmp_path: Path) -> None:
    durable.publish(tmp_path / "target", fill)
    (tmp_path / "target").rename(tmp_path / ".target.old")
    with watched(Calls(), really_sync=True) as calls:
        assert durable.problems(tmp_path / "target") == []
    assert calls.seen == [("rename", str(tmp_path / ".target.old")), ("fsync", str(tmp_path))]
