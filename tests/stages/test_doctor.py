"""`dragoman doctor` names what is damaged and what a killed writer left, and deletes nothing."""

from pathlib import Path

from tests.command import dragoman


def test_left_over_folders_are_listed_and_stay(judged: Path) -> None:
    left = judged / "runs" / "full-0" / ".model.staging"
    left.mkdir(parents=True)
    (left / "half").write_bytes(b"x" * 2048)
    said = dragoman("doctor", "--json")
    assert said.code == 0
    assert said.json["left_over"] == ["full-0/.model.staging (2 KiB)"]
    assert left.exists()


def test_outside_a_project_it_tells_of_the_machine_alone(tmp_path: Path) -> None:
    said = dragoman("doctor", "--json", folder=tmp_path)
    assert said.code == 0
    assert said.json["machine"]["cores"] > 0
    assert said.json["damage"] == []
