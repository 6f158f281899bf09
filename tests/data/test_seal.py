"""The sealed test: it opens with a reason, each opening is on record, and a changed one stays shut."""

from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message
from dragoman.data.seal import open_sealed, openings, read_again, write_sealed

ROWS = [Example((Message("user", f"text {number}"),), ("a",), meta={"place": f"a:{number}"}) for number in range(5)]


def test_every_opening_is_counted(tmp_path: Path) -> None:
    write_sealed(tmp_path / "test", ROWS)
    assert openings(tmp_path / "test") == []
    assert open_sealed(tmp_path / "test", "judge of run 1") == (ROWS, 1)
    assert open_sealed(tmp_path / "test", "judge of run 2") == (ROWS, 2)
    found = openings(tmp_path / "test")
    assert [opening.why for opening in found] == ["judge of run 1", "judge of run 2"]
    assert found[0].time.endswith("Z")


def test_a_changed_part_stays_shut(tmp_path: Path) -> None:
    write_sealed(tmp_path / "test", ROWS)
    part = next((tmp_path / "test").rglob("examples.jsonl"))
    part.write_bytes(part.read_bytes().replace(b"text 3", b"text 9"))
    with pytest.raises(UserError) as caught:
        open_sealed(tmp_path / "test", "judge")
    assert "not as it was sealed" in caught.value.problem
    assert openings(tmp_path / "test") == []
    with pytest.raises(UserError):
        open_sealed(tmp_path / "nothing", "judge")


def test_sealing_again_keeps_the_record(tmp_path: Path) -> None:
    write_sealed(tmp_path / "test", ROWS)
    open_sealed(tmp_path / "test", "judge")
    write_sealed(tmp_path / "test", ROWS[:2])
    assert open_sealed(tmp_path / "test", "judge") == (ROWS[:2], 2)


def test_a_broken_line_of_the_record_still_counts(tmp_path: Path) -> None:
    write_sealed(tmp_path / "test", ROWS)
    open_sealed(tmp_path / "test", "judge")
    with (tmp_path / "test" / "openings.jsonl").open("a") as file:
        file.write('{"time": "20')
    assert len(openings(tmp_path / "test")) == 2


def test_what_was_opened_can_be_read_again(tmp_path: Path) -> None:
    write_sealed(tmp_path / "test", ROWS)
    with pytest.raises(UserError, match="never opened"):
        read_again(tmp_path / "test")
    open_sealed(tmp_path / "test", "judge")
    assert read_again(tmp_path / "test") == (ROWS, 1)
    assert len(openings(tmp_path / "test")) == 1
