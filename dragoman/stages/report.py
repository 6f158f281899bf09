"""Write the report of a run, a verdict or a training, as one HTML page that needs nothing but a browser."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dragoman.core import durable
from dragoman.core.errors import UserError
from dragoman.core.runs import Run, all_runs, find
from dragoman.core.show import Show
from dragoman.stages.runs import folder_of
from dragoman.stages.train_record import is_training, record_of

__all__ = ["PLACES", "SECTIONS", "Settings", "run", "write_report"]

PLACES = ("run",)
SECTIONS = False
VERDICTS = ("run", "tune")
"verbs whose results are the record of a verdict"


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman report`."""

    run: str = ""
    "The run to report on: its name, the start of it, or its folder; empty takes the newest that has a report."
    project: str = ""
    "The project file or its folder; empty is the folder you stand in."
    runs: str = ""
    "The folder of the runs, where it is not the project's own."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Write the page again from the record, and say where it is."""
    root = folder_of(settings.project, settings.runs, settings.run)
    # Each rung of a ladder is a training too: of those only what has a page already stands for itself.
    done = [one for one in all_runs(root) if _reported(one) and (not is_training(one) or _page(one).exists())]
    if not settings.run and not done:
        raise UserError(
            f"there is no verdict yet in {root}, nor a training with a report", "make one with: dragoman run"
        )
    one = find(root, settings.run) if settings.run else done[-1]
    if not _reported(one):
        hint = "reports are made of finished runs of: dragoman run, tune, train, pretrain or sweep"
        raise UserError(f"{one.id} has no report", hint)
    results = one.results
    page = write_report(one, results)
    if one.verb in VERDICTS:
        show.card("report", [("page", page), ("verdict", str(results["headline"]))])
        show.result({"report": page, "run": one.id, "verdict": results["verdict"]})
    else:
        told = record_of(one) if is_training(one) else results["record"]
        show.card("report", [("page", page), (one.verb, str(told.get("headline") or one.id))])
        show.result({"report": page, "run": one.id})
    return 0


def _reported(one: Run) -> bool:
    """Whether a run can be reported on: a verdict, of a ladder or a tuning, or a training that left its course."""
    return one.finished and (one.verb in VERDICTS or isinstance(one.results.get("record"), Mapping) or is_training(one))


def _page(one: Run) -> Path:
    return one.folder / "report.html"


def write_report(one: Run, results: Mapping[str, Any]) -> str:
    """Render the results of a run into report.html in its folder, and return the path.

    Results that hold a `record` are those of a pretraining or a sweep, and those of a training are its facts; others
    are the record of a verdict themselves.
    """
    from dragoman.report.page import render
    from dragoman.report.training import render_training

    page, record = _page(one), record_of(one) if is_training(one) else results.get("record")
    text = render_training(record) if isinstance(record, Mapping) else render(results)
    durable.write(page, text.encode("utf-8"))
    return str(page)
