"""The harness of the benchmarks: turns are taken, pairs are compared, and a section replaces only itself."""

import sys
from pathlib import Path

import pytest

from benchmarks.encoder import docstrings
from benchmarks.side_by_side import machine, measure, ratios, replace_section, spread, table


def command(value: int) -> list[str]:
    return [sys.executable, "-c", f"print('noise'); print('{{\"speed\": {value}}}')"]


def test_each_command_runs_in_each_round() -> None:
    measured = measure("trial", {"ours": command(8), "theirs": command(2)}, rounds=2)
    assert measured == {"ours": [{"speed": 8}] * 2, "theirs": [{"speed": 2}] * 2}
    assert ratios(measured, "ours", "theirs", "speed") == [4.0, 4.0]
    assert "| ours | 8.0 / 8.0 / 8.0 |" in table(measured, {"speed": "tokens/s"})


def test_a_command_that_fails_is_told() -> None:
    with pytest.raises(RuntimeError, match="theirs ended with 3"):
        measure("trial", {"theirs": [sys.executable, "-c", "import sys; sys.exit(3)"]}, rounds=1)


def test_spread_has_three_figures() -> None:
    assert spread([3.0, 1.0, 2.0, 4.0]) == "1.0 / 2.5 / 4.0"
    assert "torch" in machine(("torch",), 2)


def test_a_section_replaces_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "docs" / "performance.md"
    replace_section(path, "One", "first")
    replace_section(path, "Two", "second")
    replace_section(path, "One", "new \\1 text")
    assert path.read_text() == "# Performance\n\n## One\n\nnew \\1 text\n\n## Two\n\nsecond\n"


def test_the_texts_are_long_and_different() -> None:
    texts = docstrings(20)
    assert len(set(texts)) == 20
    assert all(300 <= len(text) <= 500 for text in texts)
