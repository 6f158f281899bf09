"""Every fault in a single file of a checkpoint is found, set aside and told, and the run ends with the same bits."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dragoman.core import durable
from dragoman.stages.proofs.faults import empty, flip, swap, truncate
from dragoman.train import checkpoint
from tests.train.small import begun, bits, steps

FILES = ("weights.safetensors", "optimizer.safetensors", "random.safetensors", "state.json", "manifest.json")


FAULTS: dict[str, Callable[[Path], None]] = {
    "first bit": lambda path: flip(path, 0.0),
    "middle bit": flip,
    "last bit": lambda path: flip(path, 1.0),
    "truncate": truncate,
    "delete": Path.unlink,
    "empty": empty,
    "swap": swap,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A folder with the states after steps 4 and 8, and the bits of the run that went on to its end."""
    folder = tmp_path_factory.mktemp("whole")
    training = begun()
    for _ in range(2):
        steps(training, 4)
        checkpoint.save(folder, training, {"at": training.step})
    steps(training)
    return folder, bits(training)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("file", FILES)
def test_one_file(tmp_path: Path, whole: tuple[Path, dict[str, bytes]], file: str, fault: str) -> None:
    folder, end = tmp_path / "run", whole[1]
    shutil.copytree(whole[0], folder)
    FAULTS[fault](folder / "step-000008" / file)
    said: list[str] = []
    found = checkpoint.newest(folder, said.append)
    assert found == folder / "step-000004"
    assert file in said[0]
    assert "step-000008.damaged-1" in said[0]
    assert said[1] == "4 steps of training are lost and done again"
    assert (folder / "step-000008.damaged-1").is_dir()
    training = begun()
    checkpoint.restore(found, training, said.append)
    steps(training, 4)
    checkpoint.save(folder, training, {})  # the name is free again: the damaged one does not stand in the way
    steps(training)
    assert bits(training) == end
    assert [step for step, _ in durable.versions(folder, "step")] == [4, 8]


def test_all_of_them(tmp_path: Path, whole: tuple[Path, dict[str, bytes]]) -> None:
    folder, said = tmp_path / "run", list[str]()
    shutil.copytree(whole[0], folder)
    flip(folder / "step-000008" / "weights.safetensors", 0.5)
    empty(folder / "step-000004" / "state.json")
    assert checkpoint.newest(folder, said.append) is None
    assert said[-1] == "8 steps of training are lost and done again"
    assert not durable.versions(folder, "step")


def test_a_file_too_many(tmp_path: Path, whole: tuple[Path, dict[str, bytes]]) -> None:
    folder, said = tmp_path / "run", list[str]()
    shutil.copytree(whole[0], folder)
    (folder / "step-000008" / "extra.bin").write_bytes(b"x")
    assert checkpoint.newest(folder, said.append) == folder / "step-000004"
    assert "extra.bin" in said[0]
