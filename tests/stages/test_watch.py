"""`dragoman watch`: a table where nobody looks, exit code 1 where something rings, and what is said of mistakes."""

import re
import time
from dataclasses import fields
from pathlib import Path

import pytest

from dragoman.cli import VERBS
from dragoman.serve.alerts import Alerts
from dragoman.serve.spans import SEMCONV
from dragoman.stages.serve import Tracing
from dragoman.stages.watch import Settings, Watcher
from tests.command import dragoman
from tests.serve.planted import NOW, plant


@pytest.mark.parametrize("wrong", ["", "errors", "drift"])
def test_a_table_and_a_code_for_cron(tmp_path: Path, wrong: str) -> None:
    path = plant(tmp_path / "journal.sqlite", wrong=wrong, now=time.time())
    said = dragoman("watch", str(path), "--json", "embedder=words")
    assert said.code == (1 if wrong else 0)
    assert [one["name"] for one in said.json["alerts"]] == ([wrong] if wrong else [])
    assert all(one["next"].split()[1] in VERBS for one in said.json["alerts"])
    assert said.json["figures"]["requests"]["now"] == 60 and said.json["figures"]["p95"]["low"] > 0
    assert said.json["against"] == "what was asked before" and 0 < said.json["drift"]["p"] <= 1


def test_what_a_person_reads(tmp_path: Path) -> None:
    plant(tmp_path / "journal.sqlite", wrong="refusals", now=time.time())
    said = dragoman("watch", "drift=false", folder=tmp_path)
    assert said.code == 1
    for words in (
        "the last 24 h against the 168 h before",
        "refused",
        "alert: refusals",
        "dragoman report",
        "drift=false",
    ):
        assert words in said.whole
    quiet = dragoman("watch", "drift=false", "alerts.p=0.0000001", "alerts.jump=0.9", folder=tmp_path)
    assert quiet.code == 0 and "nothing rings" in quiet.whole


def test_where_the_journal_lies(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    plant(tmp_path / "runs" / "journal.sqlite", now=time.time())
    assert dragoman("watch", "drift=false", folder=tmp_path).code == 0
    assert dragoman("watch", "drift=false", "--json", f"runs={tmp_path / 'runs'}").code == 0
    for words, told in (
        (["nowhere.sqlite"], "there is no journal nowhere.sqlite"),
        (["hours=0"], "longer than nothing"),
        (["inputs=1"], "compared"),
    ):
        said = dragoman("watch", *words, folder=tmp_path)
        assert said.code == 2 and told in said.whole
    (tmp_path / "no.sqlite").write_bytes(b"nothing of the kind" * 100)
    assert dragoman("watch", "no.sqlite", folder=tmp_path).code == 2


def test_the_page_of_docs_is_true(tmp_path: Path, root: Path) -> None:
    (tmp_path / "runs").mkdir()
    plant(tmp_path / "runs" / "journal.sqlite", now=time.time())
    text = (root / "docs" / "watching.md").read_text(encoding="utf-8")
    told = [line.split() for line in text.splitlines() if line.startswith("dragoman ")]
    assert len(told) == 5
    for words in told:
        if words[1] == "watch":
            assert dragoman(*words[1:], "embedder=words", folder=tmp_path).code == 0
    assert Tracing(to="http://127.0.0.1:4318").texts is False and f"conventions {SEMCONV}" in text
    bounds = {field.name for field in fields(Alerts)}
    assert set(re.findall(r"alerts\.(\w+)", text)) == bounds


def test_inputs_are_not_compared_at_each_look(tmp_path: Path) -> None:
    path = plant(tmp_path / "journal.sqlite")

    class Counting:
        looks = 0

        def look(self, since: float, until: float, earlier: float) -> tuple[None, str]:
            self.looks += 1
            return None, "nothing"

    counting = Counting()
    watcher = Watcher(Settings(), path, counting)
    views = [watcher.see(NOW)[0] for _ in range(3)]
    assert counting.looks == 1 and views[0]["against"] == "nothing" and views[0]["drift"] == []
    assert set(views[0]["charts"]) == {"course-wide", "course-narrow"}
    assert "charts" not in watcher.look().view
