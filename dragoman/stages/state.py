"""What `dragoman` alone prints: where the project stands and the command that comes next."""

from dragoman.core.errors import UserError
from dragoman.core.project import load, locate
from dragoman.core.runs import Run, all_runs
from dragoman.core.show import Show, figure

__all__ = ["run"]


def run(show: Show) -> int:
    """Show the project of the folder one stands in, or how to begin."""
    try:
        file = locate("")
    except UserError:
        show.card(
            "dragoman",
            [
                ("here", "no dragoman.toml in this folder"),
                ("begin with", "dragoman new"),
                ("all verbs", "dragoman --help"),
            ],
        )
        show.result({"project": None, "next": "dragoman new"})
        return 0
    project = load(file)
    runs = all_runs(project.runs_folder)
    last = next((one for one in reversed(runs) if one.verb == "run"), None)
    step = _next(runs, last, project.scope.task)
    rows = [("objective", project.scope.objective or "not written yet: scope.objective"), ("data", project.data.source)]
    rows += [(f"{one.kind} {one.metric}", one.asked) for one in project.scope.criteria()]
    rows.append(("runs", f"{len(runs)} in {project.runs_folder}"))
    if last and last.finished:
        rows.append(("verdict", str(last.results.get("headline", last.results.get("verdict", "")))))
        found = last.results.get("metrics") or {}
        asked = dict.fromkeys(one.metric for one in project.scope.criteria())
        rows += [(name, figure(found[name])) for name in asked if name in found]
    rows.append(("next", step))
    show.card(project.scope.name, rows)
    show.result(
        {
            "project": str(file),
            "runs": len(runs),
            "verdict": last.results.get("verdict") if last else None,
            "next": step,
        }
    )
    return 0


def _next(runs: list[Run], last: Run | None, task: str) -> str:
    if last and last.finished and last.results.get("verdict") in ("met", "no_adaptation_needed"):
        return f"dragoman serve {last.id}" if task == "classify" else f'dragoman ask {last.id} "..."'
    if last and last.finished:
        return f"dragoman report {last.id}"
    if last or runs:
        return "dragoman run    (goes on where it stopped)"
    return "dragoman check, then dragoman run"
