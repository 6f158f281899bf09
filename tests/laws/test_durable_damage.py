"""Whatever happens to a published file is found, named and set aside, and the version before is gone on from."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dragoman.core import durable
from tests.laws.syscalls import Calls, contents, hidden, watched

FILES = ("model.safetensors", "config.json", "deep/tokens.txt", "manifest.json")


def fill(stage: Path) -> None:
    (stage / "deep").mkdir()
    (stage / "model.safetensors").write_bytes(bytes(range(256)) * 2)
    (stage / "config.json").write_bytes(b'{"width": 384, "layers": 6}')
    (stage / "deep" / "tokens.txt").write_bytes(b'{"width": 385, "layers": 6}')  # as long as config.json


def flipped(at: float) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        data = bytearray(file.read_bytes())
        data[int(at * (len(data) - 1))] ^= 1 << int(at * 7)
        file.write_bytes(bytes(data))

    return damage


def swapped(file: Path) -> None:
    other = next(folder for folder in file.parents if (folder / "config.json").exists()) / "config.json"
    other = other if file.name != "config.json" else other.parent / "deep" / "tokens.txt"
    mine, theirs = file.read_bytes(), other.read_bytes()
    file.write_bytes(theirs)
    other.write_bytes(mine)


def made_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def made_a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


DAMAGES: dict[str, Callable[[Path], None]] = {
    **{f"bit flipped at {at:.0%}": flipped(at) for at in (0.0, 0.13, 0.5, 0.77, 1.0)},
    "truncated": lambda file: os.truncate(file, file.stat().st_size // 2),
    "one byte short": lambda file: os.truncate(file, file.stat().st_size - 1),
    "one byte more": lambda file: file.write_bytes(file.read_bytes() + b" ") and None,
    "emptied": lambda file: os.truncate(file, 0),
    "zeroed": lambda file: file.write_bytes(bytes(file.stat().st_size)) and None,
    "deleted": lambda file: file.unlink(),
    "renamed": lambda file: file.rename(file.with_name("renamed")) and None,
    "swapped": swapped,
    "a folder in its place": made_a_folder,
    "a pipe in its place": made_a_pipe,
}


@pytest.fixture(autouse=True)
def quick() -> object:
    """Damage needs no real syncs."""
    with watched(Calls()):
        yield


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_any_damage_to_any_file(tmp_path: Path, file: str, damage: Callable[[Path], None]) -> None:
    for step in (10, 20):
        durable.publish(tmp_path / f"step-{step:06}", fill)
    latest = tmp_path / "step-000020"
    assert durable.problems(latest) == []
    damage(latest / file)
    wrong = durable.problems(latest)
    assert wrong
    assert any(str(latest / file) in said for said in wrong), "the message says which file"
    before, spoken = sorted(path.name for path in latest.rglob("*")), []
    assert durable.newest(tmp_path, "step", spoken.append) == tmp_path / "step-000010"
    aside = tmp_path / "step-000020.damaged-1"
    assert len(spoken) == 1
    assert str(latest) in spoken[0]
    assert aside.name in spoken[0]
    assert sorted(path.name for path in aside.rglob("*")) == before, "set aside as it was"
    durable.publish(latest, fill)
    assert durable.newest(tmp_path, "step", spoken.append) == latest


@pytest.mark.parametrize("name", ["stray.bin", "deep/stray.bin", ".hidden", "manifest.json.bak", "deep/manifest.json"])
def test_a_stray_file(tmp_path: Path, name: str) -> None:
    folder = durable.publish(tmp_path / "step-1", fill)
    (folder / name).write_text("")
    assert durable.problems(folder) == [f"{folder / name} is not in the manifest"]


@pytest.mark.parametrize("leads", ["nowhere", "to a file", "to a folder"])
def test_a_stray_link(tmp_path: Path, leads: str) -> None:
    folder = durable.publish(tmp_path / "step-1", fill)
    aim = {"nowhere": tmp_path / "nowhere", "to a file": folder / "config.json", "to a folder": tmp_path}[leads]
    (folder / "link").symlink_to(aim)
    assert durable.problems(folder) == [f"{folder / 'link'} is not in the manifest"]


def test_a_file_replaced_by_a_link_to_the_same_bytes(tmp_path: Path) -> None:
    """What is published stands on its own: bytes elsewhere may change tomorrow."""
    folder = durable.publish(tmp_path / "step-1", fill)
    (folder / "config.json").rename(tmp_path / "elsewhere")
    (folder / "config.json").symlink_to(tmp_path / "elsewhere")
    assert durable.problems(folder) == [f"{folder / 'config.json'} is not a plain file"]


@pytest.mark.parametrize(
    "text", [b"[]", b'"files"', b"{}", b'{"files": []}', b'{"files": {"a": 1}}', b"\xff\xfe", b"\0" * 40]
)
def test_a_manifest_that_is_something_else(tmp_path: Path, text: bytes) -> None:
    folder = durable.publish(tmp_path / "step-1", fill)
    (folder / "manifest.json").write_bytes(text)
    assert durable.problems(folder)


def test_a_bad_sector_is_damage_and_not_a_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = durable.publish(tmp_path / "step-1", fill)
    reading = durable.digest

    def failing(path: Path) -> str:
        if path.name == "model.safetensors":
            raise OSError(5, "Input/output error")
        return reading(path)

    monkeypatch.setattr(durable, "digest", failing)
    assert durable.problems(folder) == [f"{folder / 'model.safetensors'} cannot be read: Input/output error"]


def test_quarantine_never_collides(tmp_path: Path) -> None:
    """The same step damaged, set aside and published again, as often as it takes."""
    latest = tmp_path / "step-000020"
    for turn in range(1, 4):
        durable.publish(latest, fill)
        (latest / "config.json").write_text(f"damage {turn}")
        if turn == 2:
            durable.publish(latest, fill)  # publishing onto a damaged one sets it aside too
            assert durable.problems(latest) == []
        else:
            assert durable.newest(tmp_path, "step", lambda _: None) is None
        assert (tmp_path / f"step-000020.damaged-{turn}" / "config.json").read_text() == f"damage {turn}"
    (tmp_path / "step-000020.damaged-4").symlink_to(tmp_path / "nowhere")
    durable.publish(latest, fill)
    assert durable.quarantine(latest).name == "step-000020.damaged-5"


def test_all_damaged_means_none(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        (durable.publish(tmp_path / f"step-{step}", fill) / "config.json").unlink()
    spoken: list[str] = []
    assert durable.newest(tmp_path, "step", spoken.append) is None
    assert [said.split("/")[-2] for said in (line.split(" is missing")[0] for line in spoken)] == [
        "step-3",
        "step-2",
        "step-1",
    ]
    assert durable.versions(tmp_path, "step") == []


def test_order_is_by_step_whatever_the_clock_says(tmp_path: Path) -> None:
    """T10: no mtime is read. 999 comes before 1000 and before 010000, however they are padded."""
    steps = {"step-999": 999, "step-1000": 1000, "step-010000": 10000, "step-000002": 2}
    for age, name in enumerate(steps):
        durable.publish(tmp_path / name, fill)
        os.utime(tmp_path / name, (10**9 - age * 86400, 2 * 10**9 - age * 86400))
    assert [step for step, _ in durable.versions(tmp_path, "step")] == [2, 999, 1000, 10000]
    assert durable.newest(tmp_path, "step", lambda _: None) == tmp_path / "step-010000"
    durable.retain(tmp_path, "step", 2)
    assert [path.name for _, path in durable.versions(tmp_path, "step")] == ["step-1000", "step-010000"]


def test_only_published_names_are_versions(tmp_path: Path) -> None:
    durable.publish(tmp_path / "step-7", fill)
    for name in (
        ".step-8.staging",
        ".step-9.gone",
        "step-10.damaged-1",
        "step-",
        "step-x",
        "best-step-11",
        "step-12-old",
    ):
        (tmp_path / name).mkdir()
    (tmp_path / "step-13").write_text("a file is no version")
    assert durable.versions(tmp_path, "step") == [(7, tmp_path / "step-7")]
    assert durable.versions(tmp_path / "nowhere", "step") == []
    assert durable.versions(tmp_path, "st.p") == [], "the prefix is text, not a pattern"


def test_retain_keeps_a_whole_version_though_newer_ones_are_damaged(tmp_path: Path) -> None:
    for step in (10, 20, 30, 40):
        durable.publish(tmp_path / f"step-{step}", fill)
    for step in (30, 40):
        (tmp_path / f"step-{step}" / "config.json").unlink()
    durable.retain(tmp_path, "step", 2)
    assert [step for step, _ in durable.versions(tmp_path, "step")] == [20, 30, 40]
    assert durable.newest(tmp_path, "step", lambda _: None) == tmp_path / "step-20"


def test_retain_clears_what_killed_processes_left_and_nothing_else(tmp_path: Path) -> None:
    durable.publish(tmp_path / "step-1", fill)
    for name in (".step-2.staging", ".step-0.gone", ".other-1.staging", ".mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("")
    durable.retain(tmp_path, "step", 1)
    assert hidden(tmp_path) == [".mine", ".other-1.staging"]
    assert contents(tmp_path / "step-1")
