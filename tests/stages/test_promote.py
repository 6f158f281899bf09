"""A candidate is promoted where the journal proves it, and by force where somebody says so."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dragoman.cli import main
from dragoman.core.runs import Run
from dragoman.serve.canary import Canary
from dragoman.serve.journal_acts import Keep, Note
from dragoman.serve.journal_schema import Entry, opened
from dragoman.stages.promotions import promoted, promotions

ENTRY = Entry("", 1.7e9, "", "/v1/chat/completions", "", "", 200, "[]", "x", False, 3, 4, 0.1, 0.2)


def finished(root: Path, verb: str, results: dict[str, object] | None = None) -> Run:
    """A finished run without a model."""
    return Run.begin(root, verb, {}, {}).finish(results or {})


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Two rungs, of which the newest verdict chose the first; one stands in the project's folder."""
    scope = '[scope]\nname = "p"\ntask = "chat"\ntarget = { chrf = ">= 0.5" }\n[data]\nsource = "rows.jsonl"\n'
    (tmp_path / "dragoman.toml").write_text(scope)
    monkeypatch.chdir(tmp_path)
    old, new = finished(tmp_path / "runs", "lora"), finished(tmp_path / "runs", "full")
    finished(tmp_path / "runs", "run", {"rung_run": old.id})
    return old.id, new.id


def serve(old: str, new: str, rates: tuple[float, float], count: int, seed: int = 0, begun: int = 0) -> None:
    """A trial: `count` requests of as many people, who like an answer at the rate of its arm."""
    trial, draw = Canary(old, new, 0.4), random.Random(seed)
    connection = opened(Path("runs/journal.sqlite"))
    connection.execute("BEGIN IMMEDIATE")
    for number in range(begun, begun + count):
        arm = trial.arm(old, "", f"talk {number}")
        lineage = json.dumps({"project": "p", "run": arm})
        entry = replace(ENTRY, id=f"req-{number}", at=1.7e9 + number, model=arm, arm=arm, lineage=lineage)
        Keep(replace(entry, seconds=draw.uniform(0.1, 0.3)), texts=False).write(connection)
        Note(entry.id, "", 1.7e9, 1 if draw.random() < rates[arm == new] else -1, "", "").write(connection)
    connection.execute("COMMIT")
    connection.close()


def promote(capsys: pytest.CaptureFixture[str], code: int, *words: str) -> dict[str, Any]:
    """What the verb says as JSON."""
    assert main(["promote", "--json", *words]) == code
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


def test_a_better_candidate_is_promoted_and_taken_back(
    runs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = runs
    serve(old, new, (0.6, 0.9), 20)
    early = promote(capsys, 1, "dry=false")
    assert early["verdict"] == "not yet" and early["candidate"] == new and not promoted(Path("runs"))
    serve(old, new, (0.6, 0.9), 500, begun=20)
    shown = promote(capsys, 0)
    assert (shown["verdict"], shown["control"], shown["candidate"]) == ("promote", old, new)
    assert sum(shown["requests"]) == 520 and shown["votes"]["low"] > 0 and shown["promoted"] == ""
    assert not promoted(Path("runs"))  # nothing changes without dry=false
    done = promote(capsys, 0, new, "dry=false")
    assert (done["promoted"], done["before"], done["forced"]) == (new, old, False)
    assert promoted(Path("runs")) == new
    back = promote(capsys, 0, old, "force=true")
    assert (back["promoted"], back["before"], back["forced"]) == (old, new, True)
    assert [one.run for one in promotions(Path("runs"))] == [new, old]
    assert promotions(Path("runs"))[0].evidence["verdict"] == "promote"


def test_an_equal_candidate_is_not_promoted_but_by_force(
    runs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = runs
    serve(old, new, (0.8, 0.8), 300)
    assert promote(capsys, 1, "dry=false")["verdict"] == "not yet" and not promoted(Path("runs"))
    assert main(["promote", "full", "force=true"]) == 0
    assert "FORCED" in capsys.readouterr().out and promoted(Path("runs")) == new


def test_a_worse_candidate_is_kept_away(runs: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    serve(*runs, (0.9, 0.5), 300)
    assert main(["promote", runs[1][:8], "dry=false"]) == 1
    assert "people like the control better" in capsys.readouterr().out and not promoted(Path("runs"))


def test_force_needs_no_trial_and_mistakes_are_told(runs: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    old, _ = runs
    for words, told in (
        ([], "there is no journal"),
        (["force=true"], "needs the run"),
        (["alpha=2"], "out of range"),
        (["full-ffff", "force=true"], "no run 'full-ffff'"),
    ):
        assert main(["promote", *words]) == 2
        assert told in capsys.readouterr().err
    assert promote(capsys, 0, old, "force=true")["promoted"] == old
    opened(Path("runs/journal.sqlite")).close()
    assert main(["promote"]) == 2 and "no trial" in capsys.readouterr().err
