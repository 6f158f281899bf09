"""List the runs of a project, or show one with its settings, inputs and figures."""

from dataclasses import dataclass
from pathlib import Path

from dragoman.core.config import dump
from dragoman.core.errors import UserError
from dragoman.core.project import load, locate
from dragoman.core.runs import Run, all_runs, find
from dragoman.core.show import Show, figure
from dragoman.core.sizing import show_seconds

__all__ = ["PLACES", "SECTIONS", "Settings", "folder_of", "run"]

PLACES = ("run",)
SECTIONS = False


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman runs`."""

    run: str = ""
    "The run to show: its name, the start of its name, or its folder; empty lists all."
    project: str = ""
    "The project file or its folder; empty is the folder you stand in."
    runs: str = ""
    "The folder of the runs, where it is not the project's own."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """List, or show one."""
    root = folder_of(settings.project, settings.runs, settings.run)
    if settings.run:
        _one(find(root, settings.run), show)
        return 0
    runs = all_runs(root)
    if not runs:
        show.say(f"no run yet in {root}; make one with: dragoman run")
    else:
        columns = ("run", "of", "started", "state", "took", "figure")
        show.table(f"runs in {root}", columns, [_line(one) for one in runs])
    show.result({"folder": str(root), "runs": [dict(one.record) | {"results": _figures(one)} for one in runs]})
    return 0


def folder_of(project: str, runs: str, word: str = "") -> Path:
    """The folder of the runs: the one given, the one that holds the run named by a path, or the project's."""
    if runs:
        return Path(runs)
    if word and (Path(word) / "run.json").exists():
        return Path(word).parent
    try:
        return load(locate(project)).runs_folder
    except UserError:
        if project or not Path("runs").is_dir():
            raise
        return Path("runs")


def _figures(one: Run) -> dict[str, object]:
    metrics = one.results.get("metrics")
    return {"metrics": metrics} if metrics else {}


def _line(one: Run) -> tuple[str, ...]:
    metrics = one.results.get("metrics") or {}
    first = next(iter(metrics.items()), None)
    seconds = one.record.get("seconds")
    return (
        one.id,
        str(one.results.get("rung_run", "")),
        str(one.record.get("started", ""))[:19].replace("T", " "),
        str(one.record["status"]),
        show_seconds(seconds) if seconds is not None else "",
        f"{first[0]} {figure(first[1])}" if first else str(one.results.get("verdict", "")),
    )


def _one(one: Run, show: Show) -> None:
    rows = [("folder", str(one.folder)), ("state", str(one.record["status"])), ("dragoman", str(one.record["version"]))]
    rows += [
        (f"input {name}", f"{entry['path']} {entry['sha256'][:12]}") for name, entry in one.record["inputs"].items()
    ]
    for name, value in dump(one.settings).items() if isinstance(dump(one.settings), dict) else ():
        rows.append((name, str(value)))
    rows += [(name, figure(value)) for name, value in (one.results.get("metrics") or {}).items()]
    rows += [("damage", text) for text in one.damage()]
    show.card(one.id, rows)
    show.result(dict(one.record))
