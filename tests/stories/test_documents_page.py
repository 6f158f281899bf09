"""docs/documents.md is walked, with its project."""

import json
import re
from pathlib import Path

import pytest

from tests.command import ROOT, dragoman
from tests.stories.test_index import BEES, TOWER
from tests.stories.test_tasks import walked

PAGE = ROOT / "docs" / "documents.md"


@pytest.mark.slow
def test_the_guide_is_walked(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "tower.md").write_text(TOWER)
    (tmp_path / "docs" / "bees.md").write_text(BEES)
    facts = [("How tall is the tower?", "330 metres"), ("What do bees make?", "honey")]
    rows = [{"prompt": f"{question} ({row})", "completion": answer} for row in range(24) for question, answer in facts]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (project,) = re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    (tmp_path / "dragoman.toml").write_text(project, encoding="utf-8")
    commands = walked(PAGE)
    assert len(commands) >= 9
    for words in commands:
        said = dragoman(*words[1:], folder=tmp_path)
        assert said.code in (0, 1) if words[1] == "run" or words[1] == "doctor" else said.code == 0, said.whole
