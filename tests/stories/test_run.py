"""`dragoman run` from a scope to a verdict: what it prints, what it reuses, what it says when the scope is not met."""

import json
import shutil
from pathlib import Path

import pytest

from dragoman.core import durable
from dragoman.core.runs import Run, all_runs
from dragoman.data.seal import openings
from tests.command import Said, dragoman


@pytest.fixture(scope="module")
def done(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    """A project after its first `dragoman run`."""
    from tests.tiny import write_project

    folder = write_project(tmp_path_factory.mktemp("run") / "rooms", tiny_model)
    return folder, dragoman("run", "--json", folder=folder)


@pytest.fixture
def project(done: tuple[Path, Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it for one test."""
    folder = Path(shutil.copytree(done[0], tmp_path / "rooms"))
    monkeypatch.chdir(folder)
    return folder


def seal(folder: Path) -> int:
    """How often the sealed tests of a project were opened."""
    return sum(len(openings(one / "sealed")) for one in (folder / "runs").glob("prepare-*"))


def models(folder: Path) -> dict[str, str]:
    """The checksum of every model folder there is."""
    return {one.id: durable.digest(one.folder / "model") for one in all_runs(folder / "runs") if one.verb == "full"}


def test_the_last_line_is_one_object_and_the_exit_code_is_the_verdict(done: tuple[Path, Said]) -> None:
    folder, said = done
    assert said.code == 0
    assert len(said.out.splitlines()) == 1
    answer = said.json
    assert answer["verdict"] == "met"
    assert answer["rung"] == "full"
    assert (folder / answer["report"]).stat().st_size > 10_000
    assert (folder / "runs" / answer["run"] / "run.json").exists()
    for figure in answer["metrics"].values():
        assert set(figure) == {"value", "low", "high", "n"}
    accuracy = answer["metrics"]["accuracy"]
    assert 0.6 <= accuracy["low"] <= accuracy["value"] <= accuracy["high"] <= 1
    assert {"macro_f1", "mcc", "log_loss", "ece", "p95_ms", "size_mb", "forgetting"} <= answer["metrics"].keys()


def test_the_board_tells_every_step_in_order(done: tuple[Path, Said]) -> None:
    steps = [line.split(":")[0].strip() for line in done[1].err.splitlines() if line.startswith("  ")]
    order = ["check", "prepare", "plan", "baseline", "zero_shot", "few_shot", "head", "full", "judge", "compress"]
    assert steps == [*order, "report"]


def test_a_second_run_reuses_every_step_and_opens_nothing(project: Path, done: tuple[Path, Said]) -> None:
    before = {one.id: one.record["started"] for one in all_runs(project / "runs")}
    assert seal(project) == 1
    again = dragoman("run")
    assert again.code == 0
    assert {one.id: one.record["started"] for one in all_runs(project / "runs")} == before
    assert seal(project) == 1
    assert "opened once" in again.whole
    assert "The scope is met" in again.whole
    assert "dragoman serve" in again.whole


def test_another_target_trains_nothing_again(project: Path) -> None:
    before = models(project)
    told = dragoman("run", "--json", 'scope.target.accuracy=">= 0.15"')
    assert told.code == 0
    assert told.json["verdict"] == "no_adaptation_needed"
    assert told.json["rung"] == "zero_shot"
    assert models(project) == before
    assert "dragoman serve" in dragoman().whole


def test_a_target_out_of_reach_is_not_met_and_says_what_would_help(project: Path) -> None:
    told = dragoman("run", "--json", 'scope.target.accuracy=">= 0.999"')
    assert told.code == 1
    assert told.json["verdict"] == "none"
    page = (project / told.json["report"]).read_text(encoding="utf-8")
    assert "What would help" in page
    record = json.loads((project / "runs" / told.json["run"] / "run.json").read_text())["results"]
    assert record["help"]["advice"]
    sizes = [point["rows"] for point in record["help"]["curve"]]
    assert [round(100 * size / sizes[-1]) for size in sizes] == [25, 50, 100]
    assert record["help"]["advice"][0][:20] in dragoman("run", 'scope.target.accuracy=">= 0.999"').whole
    assert "dragoman report" in dragoman().whole


def test_all_climbs_on_after_the_target_is_met(judged: Path) -> None:
    record = next(one for one in all_runs(judged / "runs") if one.verb == "run").results
    assert [row["rung"] for row in record["ladder"]] == ["zero_shot", "few_shot", "head", "lora", "full"]
    assert record["verdict"] == "met"
    chosen = [row["rung"] for row in record["ladder"] if row["chosen"]]
    assert chosen == ["lora"]
    assert record["test"]["openings"] == 1
    assert all(row["predicted"]["seconds"] >= 0 and row["measured"]["memory_mb"] > 0 for row in record["ladder"])
    compared = [row["comparison"] for row in record["ladder"] if "comparison" in row]
    assert len(compared) == 4
    assert all(one["minimum_detectable"] > 0 for one in compared)


def test_the_report_stands_alone(judged: Path) -> None:
    told = dragoman("report", "--json")
    page = (judged / told.json["report"]).read_text(encoding="utf-8")
    assert told.code == 0
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    for part in ("The scope is met", "The ladder", "<svg", "dragoman serve lora-"):
        assert part in page


def test_words_are_laid_over_the_file(tiny_project: Path) -> None:
    told = dragoman("prepare", "--json", "data.rows=60", "data.seed=3")
    assert told.code == 0
    assert sum(told.json["data"]["parts"].values()) == 60


def test_the_same_project_is_the_same_work_from_any_folder(project: Path) -> None:
    told = dragoman("run", str(project.name), "--json", folder=project.parent)
    assert told.code == 0
    assert len([one for one in all_runs(project / "runs") if one.verb == "run"]) == 1
    assert seal(project) == 1


def test_all_reuses_what_was_climbed(project: Path) -> None:
    before = models(project)
    again = dragoman("run", "--all", "--json")
    assert again.code == 0
    assert models(project) == before
    assert len([one for one in all_runs(project / "runs") if one.verb == "plan"]) == 1
    assert seal(project) == 1


def test_a_rung_by_its_name_is_the_one_learnt_from_all_rows(project: Path) -> None:
    dragoman("run", 'scope.target.accuracy=">= 0.999"')  # leaves a learning curve behind
    told = dragoman("evaluate", "full", "data=rows.jsonl", "--json")
    measured = Run.open(project / "runs" / told.json["run"])
    made = Run.open(project / "runs" / measured.results["rung_run"])
    assert told.json["metrics"]["accuracy"]["n"] == 240
    assert made.verb == "full"
    assert made.settings["rows"] == 0


def test_an_unfinished_run_does_not_hide_the_newest_verdict(project: Path) -> None:
    assert dragoman("run", "scope.budget.memory=1 MiB", "--json").code == 2
    assert dragoman("report", "--json").json["verdict"] == "met"
    assert dragoman("judge", "--json").json["rung"] == "full"
