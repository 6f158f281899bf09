"""Write a run as a folder that stands on its own, to be served on another machine.

`dragoman export app RUN out=FOLDER` copies the model with its hashes, its lineage and its verdict, and writes what a
container, systemd, Kubernetes or a Space needs to serve it, and a smoke test. No row of the data goes but the examples
that a prompt shows, and no key.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dragoman.core.disk import typed
from dragoman.core.errors import UserError
from dragoman.core.show import Show
from dragoman.core.sizing import show_bytes
from dragoman.stages.assistants import pick
from dragoman.stages.export_app import check_place, gather, write_app
from dragoman.stages.runs import folder_of

__all__ = ["PLACES", "SECTIONS", "Settings", "run"]

PLACES = ("what", "run")
SECTIONS = False


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman export`."""

    what: Literal["app"] = "app"
    "What is written: app, all that serves the run."
    run: str = ""
    "The run to export: its name, the start of it, a rung such as lora, or its folder; empty: the newest verdict's."
    out: str = ""
    "The folder to write; an app that was exported there before, and not changed since, is replaced."
    name: str = ""
    "What the image, the unit and the service are called; empty takes the project's name."
    port: int = 8000
    "The port that the app listens on."
    wheel: str = ""
    "A wheel of dragoman to install in the container, where its package index has none."
    project: str = ""
    "The project file or its folder; empty is the folder you stand in."
    runs: str = ""
    "The folder of the runs, where it is not the project's own."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Gather, write, tell."""
    if not settings.out:
        raise UserError("it is not said where the app goes", "name a new folder: dragoman export app out=./app")
    if not 1024 <= settings.port <= 65_534:
        raise UserError(f"port {settings.port} is none that an app may open", "choose one above 1023: port=8000")
    wheel = _wheel(settings.wheel)
    target = typed(settings.out)
    check_place(target, settings.name)
    made = pick(folder_of(settings.project, settings.runs, settings.run), settings.run)
    with show.board(f"export {made.id}") as board, board.step("copy") as tick:
        gathered = gather(made, settings.name, settings.port, settings.wheel)
        files = write_app(target, gathered, wheel)
        tick(1.0, f"{len(files)} files, {show_bytes(sum(files.values()))}")
    app = gathered.app
    rows = [
        ("in", str(target)),
        ("run", f"{app.run} ({app.said})"),
        ("memory", f"{app.limit:,} MiB at the most: {app.memory}"),
        ("serve it here", f"dragoman serve {target}"),
        ("then", f"read {target / 'README.md'}: make a key, build, serve, test"),
    ]
    show.card(f"app {app.name}", rows)
    told = {"folder": str(target), "run": app.run, "name": app.name, "files": files}
    show.result({**told, "memory_mib": app.limit, "extras": list(app.extras)})
    return 0


def _wheel(path: str) -> Path | None:
    """The wheel that is given. Raises UserError where it is none of dragoman."""
    if not path:
        return None
    wheel = typed(path)
    if not wheel.is_file() or not wheel.name.startswith("dragoman-") or wheel.suffix != ".whl":
        raise UserError(f"{path} is no wheel of dragoman", "make one with: pip wheel --no-deps PATH, then wheel=FILE")
    return wheel
