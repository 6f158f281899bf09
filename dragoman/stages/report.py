"""Write the report of a run as one HTML page that needs nothing but a browser."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dragoman.core import durable
from dragoman.core.errors import UserError
from dragoman.core.runs import Run, all_runs, find
from dragoman.core.show import Show
from dragoman.stages.runs import folder_of

__all__ = ["PLACES", "SECTIONS", "Settings", "run", "write_report"]

PLACES = ("run",)
SECTIONS = False


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman report`."""

    run: str = ""
    "The run to report on: its name, the start of it, or its folder; empty takes the newest `dragoman run`."
    project: str = ""
    "The project file or its folder; empty is the folder you stand in."
    runs: str = ""
    "The folder of the runs, where it is not the project's own."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Write the page again from the record, and say where it is."""
    root = folder_of(settings.project, settings.runs, settings.run)
    done = [one for one in all_runs(root) if one.verb == "run" and one.finished]
    if not settings.run and not done:
        raise UserError(f"there is no verdict yet in {root}", "make one with: dragoman run")
    one = find(root, settings.run) if settings.run else done[-1]
    if not one.finished or one.verb != "run":
        raise UserError(f"{one.id} is no finished verdict", "reports are made of finished runs of: dragoman run")
    page = write_report(one, one.results)
    show.card("report", [("page", page), ("verdict", str(one.results["headline"]))])
    show.result({"report": page, "run": one.id, "verdict": one.results["verdict"]})
    return 0


def write_report(one: Run, results: Mapping[str, Any]) -> str:
    """Render the results of a run into report.html in its folder, and return the path."""
    from dragoman.report.page import render

    page = one.folder / "report.html"
    durable.write(page, render(results).encode("utf-8"))
    return str(page)
