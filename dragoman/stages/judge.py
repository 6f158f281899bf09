"""Open the sealed test once for a rung, and hold every target and limit against what it shows.

Each opening is written down before a row is read, and counted in every report. The same rung is judged once: asked
again, the verdict is found again and nothing is opened. Exit code 0 when the scope is met, 1 when it is not.
"""

from dataclasses import asdict, dataclass
from typing import Any

from dragoman.core import durable
from dragoman.core.config import dump
from dragoman.core.project import Project, overlay
from dragoman.core.runs import Run, find
from dragoman.core.show import Show, Tick, silent
from dragoman.data.seal import open_sealed, read_again
from dragoman.evals.gate import Verdict, judge
from dragoman.evals.task import asked
from dragoman.stages.assistants import open_assistant, pick
from dragoman.stages.evaluate import Measured, criteria_rows, measure, shown, views
from dragoman.stages.judges import judges_of
from dragoman.stages.prepare import seal_of
from dragoman.stages.report import write_report
from dragoman.stages.runs import folder_of

__all__ = ["PLACES", "SECTIONS", "Judgement", "Settings", "judge_rung", "run"]

PLACES = ("run",)
SECTIONS = True


@dataclass(frozen=True)
class Settings:
    """The words of `dragoman judge`."""

    run: str = ""
    "The rung to judge: its run, the start of it, a rung such as lora, or its folder; empty takes the newest verdict's."
    project: str = ""
    "The project file or its folder; empty is the folder you stand in."
    runs: str = ""
    "The folder of the runs, where it is not the project's own."


@dataclass(frozen=True)
class Judgement:
    """A verdict on the sealed test: its run, what was measured, and how often the test was opened so far."""

    run: Run
    measured: Measured
    verdict: Verdict
    openings: int


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Judge one rung by the scope it was made for, or by the one given in words."""
    root = folder_of(settings.project, settings.runs, settings.run)
    made = pick(root, settings.run)
    project = overlay({**made.results["project"], "runs": str(root.absolute()), "root": "."}, words)
    with show.board(f"judge {made.id}") as board, board.step("judge") as tick:
        done = judge_rung(project, made, tick)
    record: dict[str, Any] = {
        "name": project.scope.name,
        "objective": project.scope.objective,
        "verdict": "met" if done.verdict.passed else "not_met",
        "headline": done.verdict.headline,
        "rung": made.verb,
        "test": {"rows": len(done.measured.report.predictions), "openings": done.openings},
        "criteria": criteria_rows(done.verdict.criteria),
        "metrics": {name: asdict(value) for name, value in done.measured.estimates.items()},
        **views(done.measured.report, done.measured.report.task.labels),
        "forgetting": made.results.get("forgetting"),
        "parity": made.results.get("parity"),
        "environment": made.record["environment"],
        "commands": [f"dragoman judge {made.id}"],
    }
    page = write_report(done.run, record)
    shown(f"{made.id} on the sealed test", record, page, show, [("opened", f"{done.openings} times so far")])
    return 0 if done.verdict.passed else 1


def judge_rung(project: Project, made: Run, tick: Tick = silent) -> Judgement:
    """The verdict on a rung: found again, or made by opening the seal once more."""
    prepared = find(made.folder.parent, str(made.record["inputs"]["parts"]["path"]))
    criteria = project.scope.criteria()
    settings = {"criteria": dump(criteria), "seed": project.data.seed}
    run = Run.begin(made.folder.parent, "judge", settings, {"rung": made, "parts": prepared})
    with durable.lock(run.folder):
        opened = open_assistant(made)
        seal = seal_of(prepared)
        if run.finished:
            rows, count = read_again(seal)
        else:
            rows, count = open_sealed(seal, f"{run.id}: {made.id}")
        measured = measure(opened, rows, "sealed test", tick, names=asked(project.scope), judges=judges_of(project))
        verdict = judge(measured.estimates, criteria)
        if not run.finished:
            facts: dict[str, Any] = {"verdict": "met" if verdict.passed else "not_met", "headline": verdict.headline}
            facts |= {"rung": made.verb}
            facts |= {"metrics": {name: asdict(value) for name, value in measured.estimates.items()}, "openings": count}
            run = run.finish({**facts, "rung_run": made.id, "evaluation": measured.run.id})
    tick(1.0, verdict.headline)
    return Judgement(run, measured, verdict, count)
