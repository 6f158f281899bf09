"""Take a project from its scope to a verdict: check, prepare, plan, climb, judge, report.

Every step is a run of its own and is found again when its settings and inputs are the same: killed at any instant, the
same command goes on. Exit code 0 when the scope is met, 1 when it is not, 2 for a mistake in what was given.
"""

import shlex
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from dragoman.core import durable
from dragoman.core.config import dump
from dragoman.core.project import Project
from dragoman.core.runs import Run, environment
from dragoman.core.show import Board, Show, many
from dragoman.stages.check import tell
from dragoman.stages.complaints import cases_of, complained, told
from dragoman.stages.evaluate import criteria_rows, shown, views
from dragoman.stages.judge import Judgement, judge_rung
from dragoman.stages.plan import plan, plans_of
from dragoman.stages.prepare import digest, gather, prepare
from dragoman.stages.record import baseline, data_card, lineage, warnings
from dragoman.stages.report import write_report
from dragoman.stages.settled import settled

if TYPE_CHECKING:
    from dragoman.stages.climb import Climbed

__all__ = ["PLACES", "SECTIONS", "Settings", "run"]

PLACES = ("project",)
SECTIONS = True


@dataclass(frozen=True)
class Settings:
    """The words of `dragoman run`."""

    project: str = ""
    "The project file or its folder; empty is the folder you stand in."
    all: bool = False
    "Climb every rung, also after one has met the target (the same as ladder.all=true)."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """The main job."""
    from dragoman.train.stopping import catching

    project = settled(settings.project, words)
    if settings.all:
        project = replace(project, ladder=replace(project.ladder, all=True))
    with catching() as wish, wish.interruptible():
        record, page = _whole(project, show, _given(settings, words))
    extra = [("rung", str(record["rung"])), ("why", str(record["why"])), ("sealed test", _opened(record["test"]))]
    if record["complaints"]:
        extra.append(("users complained", told(record["complaints"])))
    met = record["verdict"] in ("met", "no_adaptation_needed")
    tips = (record["help"] or {}).get("advice", [])
    then = [("next", record["commands"][1])] if met else [("would help", tip) for tip in tips]
    shown(project.scope.name, record, page, show, extra, then, always=True)
    return 0 if met else 1


def _given(settings: Settings, words: tuple[str, ...]) -> tuple[str, str]:
    """The command as it was given, and what names its project in others, fit to be pasted into a shell."""
    given = [settings.project] if settings.project else []
    whole = shlex.join(["dragoman", "run", *given, *(["--all"] if settings.all else []), *words])
    return whole, f" {shlex.quote(f'project={settings.project}')}" if settings.project else ""


def _opened(test: dict[str, Any]) -> str:
    times = "once" if test["openings"] == 1 else f"{test['openings']} times"
    return f"{test['rows']:,} rows, opened {times}"


def _whole(project: Project, show: Show, given: tuple[str, str]) -> tuple[dict[str, Any], str]:
    """Every step in its order, on the board; the record of the run and its page."""
    from dragoman.stages.climb import advice, climb, pick_base

    begun = time.monotonic()
    with show.board(project.scope.name) as board:
        with board.step("check") as tick:
            gathered = gather(project, tick)
            from dragoman.stages.check_writing import inspected

            found, views = inspected(project, gathered, tick)
            tick(1.0, f"{many(len(gathered.source.examples), 'row')}, {many(len(found), 'finding')}")
        with board.step("prepare") as tick:
            prepared = prepare(project, gathered, tick)
        settings = {"scope": dump(project.scope), "ladder": dump(project.ladder), "train": dump(project.train)}
        settings |= {"models": dump(project.models)}
        cases = cases_of(project)
        asked_again = {"cases": digest(cases)} if cases else {}
        this = Run.begin(project.runs_folder, "run", settings, {"parts": prepared, **asked_again})
        with durable.lock(this.folder):
            with board.step("plan") as tick:
                planned = plan(project, prepared, tick)
            with board.step("baseline") as tick:
                base, candidates = pick_base(project, prepared, tick)
                floor = baseline(project, prepared)
                often = f"; always '{floor['label']}' is right {floor['accuracy']:.1%} of the time" if floor else ""
                tick(1.0, f"{base.spec}{often}")
            climbed = climb(project, prepared, base, plans_of(planned), board, show.say)
            with board.step("judge") as tick:
                judgement = judge_rung(project, climbed.chosen.run, tick)
            users = _users(project, climbed.chosen.run, board) if cases else {}
            helped: dict[str, Any] = {}
            if not judgement.verdict.passed:
                with board.step("what would help") as tick:
                    helped = advice(project, prepared, base, climbed, show.say, tick)
                    tick(1.0, next(iter(helped["advice"]), "nothing was found"))
            with board.step("compress") as tick:
                tick(1.0, "not available yet: the rung is kept as it is")
            with board.step("report") as tick:
                record = _record(project, this, prepared, planned, climbed, judgement, helped)
                record["commands"] = [given[0], *(f"{one}{given[1]}" for one in record["commands"])]
                record |= {
                    "tokens": views,
                    "baseline": floor,
                    "candidates": candidates,
                    "complaints": users or None,
                    "seconds": time.monotonic() - begun,
                }
                page = write_report(this, record)
                if not this.finished:
                    this.finish({**record, "rung_run": climbed.chosen.run.id})
                tick(1.0, page)
    tell([one for one in found if one.severity != "note"], show)
    return record, page


def _users(project: Project, made: Run, board: Board) -> dict[str, Any]:
    """What users complained about, answered by the rung that was taken."""
    with board.step("complaints") as tick:
        users = complained(project, made, tick)
        tick(1.0, told(users) if users else "none of the cases has a label of this scope")
    return users


def _next(project: Project, made: Run) -> str:
    """What is done with the rung that was taken."""
    return f"dragoman serve {made.id}" if project.scope.task == "classify" else f'dragoman ask {made.id} "..."'


def _record(
    project: Project,
    this: Run,
    prepared: Run,
    planned: Run,
    climbed: "Climbed",
    judgement: Judgement,
    helped: dict[str, Any],
) -> dict[str, Any]:
    """Everything the report shows, as JSON types."""
    from dragoman.stages.climb import ladder_rows

    criteria = project.scope.criteria()
    chosen, verdict = climbed.chosen, judgement.verdict
    passed = {"no adaptation needed": "no_adaptation_needed", "met": "met"}.get(climbed.choice.answer, "met")
    failed = "none" if climbed.choice.answer == "none meets the target" else "not_met"
    measured = judgement.measured
    return {
        "name": project.scope.name,
        "objective": project.scope.objective,
        "created": str(this.record["started"])[:16].replace("T", " ") + " UTC",
        "dragoman": this.record["version"],
        "verdict": passed if verdict.passed else failed,
        "headline": verdict.headline,
        "why": climbed.choice.reason,
        "rung": chosen.plan.rung,
        "test": {"rows": len(measured.report.predictions), "openings": judgement.openings},
        "criteria": criteria_rows(verdict.criteria),
        "metrics": {name: asdict(value) for name, value in measured.estimates.items()},
        "ladder": ladder_rows(climbed, criteria),
        "target": {"metric": criteria[0].metric, "op": criteria[0].op, "bound": criteria[0].bound},
        **views(measured.report, measured.report.task.labels),
        "forgetting": chosen.run.results.get("forgetting"),
        "parity": chosen.run.results.get("parity"),
        "help": helped or None,
        "data": data_card(prepared),
        "warnings": warnings(project, prepared, climbed, judgement),
        "lineage": lineage([prepared, planned, *(rung.run for rung in climbed.rungs), judgement.run]),
        "environment": environment(),
        "commands": [_next(project, chosen.run), f"dragoman evaluate {chosen.run.id} data=PATH"],
    }
