"""Watch a server by its journal: latency, load, errors, refusals, feedback and drift of inputs, with alerts.

In a terminal a page opens on this machine; else, and with --once, a table is printed, and the exit code is 1 where an
alert rings, as cron wants it. The journal is only read, while the server runs or not.
"""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dragoman.core.errors import UserError
from dragoman.core.show import Show, many
from dragoman.serve.alerts import Alert, Alerts, rung
from dragoman.serve.drift import Drift
from dragoman.serve.journal_read import figures
from dragoman.serve.watched import HOUR, follow, measures
from dragoman.stages.runs import folder_of

if TYPE_CHECKING:
    from dragoman.serve.watching import Look

__all__ = ["PLACES", "SECTIONS", "Settings", "Watcher", "run"]

PLACES = ("journal",)
SECTIONS = False
JOURNAL = "journal.sqlite"
AGAIN = 60.0  # seconds until inputs are compared again while a page is open


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman watch`."""

    journal: str = ""
    "The journal of a server, or the project (its file or folder) whose runs it lies with; empty is where you stand."
    hours: float = 24.0
    "How many hours are watched."
    before: float = 168.0
    "How many hours before those they are compared with."
    once: bool = False
    "Print a table and end, with exit code 1 where an alert rings; so too without a terminal and with --json."
    port: int = 8011
    "The port of the page on this machine; 0 takes any that is free."
    every: float = 10.0
    "Seconds until the page looks again."
    drift: bool = True
    "Whether inputs are compared with what the model learnt from, or with those before where that is not known."
    embedder: str = ""
    "The encoder of inputs: words (without a model), builtin:minilm, a folder; empty is minilm where it is installed."
    inputs: int = 200
    "How many of the newest inputs are compared."
    alerts: Alerts = field(default_factory=Alerts)
    "The bounds past which an alert rings."
    runs: str = ""
    "The folder of the runs, where the journal does not lie in it."


@dataclass
class Watcher:
    """Looks at a journal as often as it is asked to."""

    settings: Settings
    path: Path
    inputs: Any
    "what compares inputs, a `watch_inputs.Watching`; None where they are not"
    _drift: tuple[float, Drift | None, str] = (float("-inf"), None, "inputs are not compared: drift=false")

    def see(self, now: float) -> tuple[dict[str, Any], dict[str, Any], list[Alert]]:
        """What a person is shown, the raw figures, and what rings, at a moment in seconds since 1970."""
        from dragoman.stages.watch_view import charts, drift_rows, figures_of, model_rows, rows, span

        given = self.settings
        course = follow(self.path, now, given.hours, given.before)
        found = measures(course)
        drift, against = self._compared(now)
        alerts = rung(found, drift, given.alerts)
        view: dict[str, Any] = {
            "at": now,
            "every": given.every,
            "journal": str(self.path),
            "span": span(course),
            "alerts": [{"name": one.name, "said": one.said, "next": one.next} for one in alerts],
            "rows": rows(found),
            "models": model_rows(figures(self.path, since=now - given.hours * HOUR, until=now, by="model")),
            "drift": drift_rows(drift),
            "against": f"compared with {against}" if drift is not None else against,
            "charts": charts(course),
        }
        return view, figures_of(found, drift, against), alerts

    def look(self) -> "Look":
        """What the page shows now. Raises UserError where the journal cannot be read."""
        from dragoman.serve.watching import Look

        view, _, _ = self.see(time.time())
        drawn = view.pop("charts")
        return Look(view, drawn)

    def _compared(self, now: float) -> tuple[Drift | None, str]:
        if self.inputs is not None and time.monotonic() - self._drift[0] >= AGAIN:
            since = now - self.settings.hours * HOUR
            drift, against = self.inputs.look(since, now, since - self.settings.before * HOUR)
            self._drift = (time.monotonic(), drift, against)
        return self._drift[1:]


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Open the page, or print a table; 1 where an alert rings."""
    _check(settings)
    path = _journal(settings)
    watcher = Watcher(settings, path, _inputs(settings, path))
    if not (settings.once or show.json) and sys.stdout.isatty():
        _open(watcher)
        return 0
    view, told, alerts = watcher.see(time.time())
    columns = ("figure", "now", "95 % interval", "before", "p of a rise")
    show.table(f"{path}: {view['span']}", columns, view["rows"])
    if view["models"]:
        show.table("by model", ("model", "requests", "failed", "p95", "refused", "thumbs"), view["models"])
    if view["drift"]:
        show.table(f"inputs, {view['against']}", ("figure", "now", "of what"), view["drift"])
    else:
        show.say(f"drift is not told: {view['against']}")
    for one in alerts:
        show.card(f"alert: {one.name}", [("what", one.said), ("next", one.next)], "bad")
    if not alerts:
        show.card("nothing rings", [("watched", f"{many(int(told['figures']['requests']['now']), 'request')}")], "good")
    show.result(
        {"journal": str(path), "hours": settings.hours, "before": settings.before} | told | {"alerts": view["alerts"]}
    )
    return 1 if alerts else 0


def _check(settings: Settings) -> None:
    if settings.hours <= 0 or settings.before <= 0 or settings.every <= 0:
        raise UserError("a time to watch is longer than nothing", "say hours=24 before=168 every=10")
    if settings.inputs < 2:
        raise UserError("inputs are compared by some of them", "say inputs=200, or drift=false")


def _journal(settings: Settings) -> Path:
    """Where the journal lies. Raises UserError where it is not there."""
    given = Path(settings.journal)
    if settings.journal and given.is_file() and given.suffix != ".toml":
        return given
    try:
        beside = folder_of(settings.journal, settings.runs) / JOURNAL
    except UserError:
        if settings.journal and not (given.is_dir() or given.suffix == ".toml"):
            raise UserError(f"there is no journal {given}", "dragoman serve keeps one beside the runs") from None
        beside = given / JOURNAL  # as the server does that stands in no project
    if not beside.is_file():
        raise UserError(f"there is no journal {beside}", "dragoman serve keeps one beside the runs; or give its path")
    return beside


def _inputs(settings: Settings, path: Path) -> Any:
    if not settings.drift:
        return None
    from dragoman.stages.watch_inputs import Watching

    return Watching(path, Path(settings.runs) if settings.runs else path.parent, settings.embedder, settings.inputs)


def _open(watcher: Watcher) -> None:
    """Serve the page until it is stopped."""
    try:
        from dragoman.serve.watching import open_watch
    except ImportError as error:
        raise UserError(
            f"the page needs a server, and {error.name} is missing",
            'pip install "dragoman[serve]", or print a table: dragoman watch --once',
        ) from None
    open_watch(watcher, watcher.settings.port, watcher.settings.every / 2)
