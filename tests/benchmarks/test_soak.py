"""The promises of a server under load, on a small scale: the same code that holds them on a large one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.soak import Server, burst, killed, leavers, served, side_by_side
from tests.nn.tiny_lm import folder_of
from tests.serve.writing import longer


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("soak")
    longer(folder_of("llama", home / "tiny"))
    return home


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    with served("tiny", home, "queue=8", "rows=4", "keep.on=false", "precision=fp32") as one:
        yield one


def test_streams_are_never_mixed(server: Server) -> None:
    found = side_by_side(server, streams=6, seconds=1.5, different=8, tokens=12)
    assert found["answers"] >= 6
    assert found["mixed"] == 0


def test_a_burst_is_answered_or_refused(server: Server) -> None:
    found = burst(server, 60)
    assert found["other"] == 0
    assert found["answered"] >= 8
    assert found["answered"] + found["refused"] == 60
    assert found["ready after"]


def test_who_leaves_leaves_nothing(server: Server) -> None:
    found = leavers(server, 30)
    assert found["requests left"] == 0
    assert found["files more"] <= 0


def test_a_kill_loses_nothing_that_was_acknowledged(home: Path) -> None:
    found = killed("tiny", home, 1.5)
    assert found["answers"] > 0
    assert (found["answers lost"], found["feedback lost"]) == (0, 0)
