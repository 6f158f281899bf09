"""docs/alignment.md is walked on a tiny model, with its project."""

import re
from pathlib import Path

import pytest

from tests.command import ROOT, dragoman
from tests.stories.test_tasks import walked
from tests.writers import write_model, write_pairs

PAGE = ROOT / "docs" / "alignment.md"
LOOP = '[train]\ndevice = "cpu"\nprecision = "fp32"\nbatch = 4\nepochs = 2\nrate = 1e-3\n'


@pytest.mark.slow
def test_the_guide_is_walked(tmp_path: Path) -> None:
    write_model(tmp_path / "base")
    write_pairs(tmp_path / "pairs.jsonl", 64)
    (project,) = re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    (tmp_path / "dragoman.toml").write_text(project + LOOP, encoding="utf-8")
    commands = walked(PAGE)
    assert len(commands) == 7
    for words in commands:
        said = dragoman(*words[1:], folder=tmp_path)
        assert said.code in (0, 1), said
    assert dragoman("ask", "ppo", "say dog 7", "--json", folder=tmp_path).code == 0
