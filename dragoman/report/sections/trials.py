"""The trials of a sweep: which settings were tried, what each was worth, and which one is the best."""

from collections.abc import Sequence

from dragoman.report.axes import NARROW, WIDE
from dragoman.report.grid import Cell, Grid, grid
from dragoman.report.numbers import amount, brief, duration, whole
from dragoman.report.parallel import Trial, parallel, varied
from dragoman.report.record import Table, count, number, rows, table, words

__all__ = ["view"]

_STATES = {"complete": ("✓", ""), "pruned": ("–", "unproven"), "failed": ("✗", "missed")}
_SAID = {"complete": "complete", "pruned": "stopped early", "failed": "failed"}
# More axes than this stand too close to be told apart, and more lines than this hide one another.
_MOST_AXES, _MOST_LINES = 8, 200
# As many trials stand open; more are folded.
_OPEN = 10


def view(record: Table) -> dict[str, object] | None:
    """The picture, the best settings and the table of all; None where no trial was begun."""
    found = [(_trial(row, place), row) for place, row in enumerate(rows(record.get("trials")))]
    if not found:
        return None
    metric = words(record.get("metric")) or "score"
    lower = record.get("higher") is not True
    sign = 1.0 if lower else -1.0
    found.sort(key=lambda one: (one[0].state != "complete", one[0].score is None, sign * (one[0].score or 0.0)))
    trials = [trial for trial, _ in found]
    differing = varied(trials)
    names, drawn = differing[:_MOST_AXES], trials[:_MOST_LINES]
    best = trials[0] if trials[0].state == "complete" and trials[0].score is not None else None
    return {
        "metric": metric,
        "lower": lower,
        "charts": [parallel("trials", drawn, names, metric, lower, size) for size in (WIDE, NARROW)] if names else [],
        "undrawn": differing[_MOST_AXES:],
        "lines": len(trials) - len(drawn),
        "counts": _counts(trials),
        "best": _best(best, metric),
        "grid": _table(found, metric),
        "folded": len(found) > _OPEN,
        "count": len(found),
    }


def _trial(row: Table, place: int) -> Trial:
    state = words(row.get("state")) or "complete"
    known = ((words(name), _setting(value)) for name, value in table(row.get("settings")).items())
    settings = {name: value for name, value in known if value != ""}
    number_of = count(row.get("number"))
    score = None if state == "failed" else number(row.get("value"))
    return Trial(place if number_of is None else number_of, state, score, settings)


def _setting(value: object) -> float | str:
    if isinstance(value, bool):
        return "true" if value else "false"  # as a command takes it
    found = number(value)
    return words(value) if found is None else found


def _counts(trials: Sequence[Trial]) -> str:
    told = []
    for state in dict.fromkeys([*_SAID, *(trial.state for trial in trials)]):
        size = sum(trial.state == state for trial in trials)
        if size:
            told.append(f"{whole(size)} {_SAID.get(state, state)}")
    return ", ".join(told)


def _best(trial: Trial | None, metric: str) -> dict[str, str] | None:
    """The winner, its settings as words that can be given to a command."""
    if trial is None:
        return None
    settings = " ".join(f"{name}={_exact(value)}" for name, value in trial.settings.items())
    return {"number": whole(trial.number), "score": amount(metric, trial.score), "settings": settings}


def _exact(value: float | str) -> str:
    """A setting as one writes it: no digit lost, no comma put in, quotes around what has a space."""
    if isinstance(value, str):
        return f'"{value}"' if " " in value else value
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else repr(value)


def _table(found: Sequence[tuple[Trial, Table]], metric: str) -> Grid | None:
    lines = []
    for trial, row in found:
        sign, tone = _STATES.get(trial.state, ("", ""))
        step = count(row.get("step"))
        said = f"{sign} {_SAID.get(trial.state, trial.state)}".strip()
        settings = ", ".join(
            f"{name} = {brief(value) if not isinstance(value, str) else value}"
            for name, value in trial.settings.items()
        )
        lines.append(
            [
                Cell(whole(trial.number)),
                Cell(amount(metric, trial.score), kind="number"),
                Cell(settings, kind="code"),
                Cell("" if step is None else whole(step), kind="count"),
                Cell(duration(number(row.get("seconds"))), kind="number"),
                Cell(said, tone=tone),
            ]
        )
    return grid("Trials, the best first", ("trial", metric, "settings", "steps", "time", "state"), lines)
