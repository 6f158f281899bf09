"""`dragoman report` writes the page of a verdict or of a training again, and refuses what has none."""

from pathlib import Path

import pytest

from dragoman.core.runs import Run
from tests.command import dragoman
from tests.report.sample import record
from tests.report.sample_training import pretraining


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with a finished pretraining, a training that is not done, and a run without a report."""
    root = tmp_path / "runs"
    Run.begin(root, "pretrain", {"seed": 0}, {}).finish({"record": pretraining()})
    Run.begin(root, "sweep", {"seed": 0}, {})
    Run.begin(root, "prepare", {"seed": 0}, {}).finish({"rows": 3})
    return root


def test_a_training_has_a_report(runs: Path) -> None:
    done = dragoman("report", "pretrain", f"runs={runs}", "--json")
    assert done.code == 0
    page = Path(done.json["report"])
    assert page.parent.parent == runs
    assert "<title>Pretraining: stdlib-small</title>" in page.read_text(encoding="utf-8")
    assert "0.652 bits per byte on held-out text" in dragoman("report", "pretrain", f"runs={runs}").whole


def test_empty_takes_the_newest_that_has_one(runs: Path) -> None:
    assert dragoman("report", f"runs={runs}", "--json").json["run"].startswith("pretrain-")


@pytest.mark.parametrize("word", ["sweep", "prepare"])
def test_what_has_no_report_is_refused(runs: Path, word: str) -> None:
    done = dragoman("report", word, f"runs={runs}")
    assert done.code == 2
    assert "has no report" in done.err


def test_where_nothing_is_done_there_is_none(tmp_path: Path) -> None:
    done = dragoman("report", f"runs={tmp_path}")
    assert done.code == 2
    assert "no verdict yet" in done.err


def test_a_verdict_still_has_its_own(runs: Path) -> None:
    Run.begin(runs, "run", {"seed": 0}, {}).finish(record())
    done = dragoman("report", f"runs={runs}", "--json").json
    assert done["verdict"] == "not_met"
    assert "<title>Not met: stdlib-area</title>" in Path(done["report"]).read_text(encoding="utf-8")


def test_a_tuning_has_one_too(runs: Path) -> None:
    Run.begin(runs, "tune", {"seed": 0}, {}).finish({**record(), "rung_run": "lora-0"})
    done = dragoman("report", "tune", f"runs={runs}", "--json")
    assert done.code == 0, done.whole
    assert done.json["verdict"] == "not_met"
